"""Convert tool calls and tool descriptions to the form that chat templates read."""

from collections.abc import Mapping
from typing import Any

from unteach.data.records.values import decoded, is_blank, is_list, is_null


def calls_of(message: Mapping) -> list[dict] | str:
    """Return the `tool_calls` of a message, or its `function_call` (the older format).

    Arguments that are JSON text, as in OpenAI's API, become the object that chat templates expect.

    Returns:
        The calls, an empty list without any; a description of the problem where there is one.

    Example:
        >>> calls_of({"function_call": {"name": "look", "arguments": '{"who": "Ada"}'}})
        [{'type': 'function', 'function': {'name': 'look', 'arguments': {'who': 'Ada'}}}]
    """
    calls, old = decoded(message.get("tool_calls")), decoded(message.get("function_call"))
    found: list[dict] = []
    if not is_blank(calls):
        if not _are_objects(calls):
            return "has tool_calls that are no list of objects"
        found = [_with_object(call) for call in calls]
    if not is_blank(old):
        if not _is_named(old):
            return "has a function_call that is no object with a name"
        one = [_call(old)]
        if found and [*map(_name_and_arguments, found)] != [*map(_name_and_arguments, one)]:
            return "has tool_calls and function_call, which differ"
        found = found or one
    return found if all(map(_has_arguments, found)) else "has a call whose arguments are no object"


def said_calls(content: Any) -> list[dict] | str:
    """Read tool calls from a content that is JSON; a description of the problem if it is not."""
    calls = decoded(content)
    calls = calls if is_list(calls) else [calls]
    if not calls or not all(map(_is_named, calls)):
        return "is a call, but no JSON object with a name"
    found = [_call(call) for call in calls]
    return found if all(map(_has_arguments, found)) else "has a call whose arguments are no object"


def tools_of(tools: Any, functions: Any) -> tuple[Any, ...] | str:
    """Return the tools of a record; a description of the problem where there is one.

    Args:
        tools: a list of objects, or the same as JSON text.
        functions: OpenAI's older format: a list of the functions alone.

    Example:
        >>> tools_of(None, {"name": "look"})
        ({'type': 'function', 'function': {'name': 'look'}},)
    """
    listed, old = _objects(tools), _objects(functions)
    if listed is None or old is None:
        return f"{'tools' if listed is None else 'functions'} is no list of objects"
    old = [each if "function" in each else {"type": "function", "function": each} for each in old]
    bare = [each if "function" in each else {"function": each} for each in listed]
    if listed and old and [each["function"] for each in bare] != [e["function"] for e in old]:
        return "has tools and functions, which differ"
    return tuple(listed or old)


def _objects(value: Any) -> list[dict] | None:
    """Return the objects of a list; an empty list if blank, None if it is something else."""
    value = decoded(value)
    if is_blank(value):
        return []
    if isinstance(value, Mapping):
        value = [value]
    return [dict(each) for each in value] if _are_objects(value) else None


def _are_objects(value: Any) -> bool:
    return is_list(value) and all(isinstance(each, Mapping) for each in value)


def _is_named(call: Any) -> bool:
    return isinstance(call, Mapping) and bool(call.get("name"))


def _call(call: Mapping) -> dict:
    return _with_object({"type": "function", "function": dict(call)})


def _with_object(call: Mapping) -> dict:
    function = call.get("function")
    if isinstance(function, Mapping):
        return {**call, "function": _with_object(function)}
    arguments = decoded(call.get("arguments"))
    return {**call, "arguments": arguments} if isinstance(arguments, Mapping) else dict(call)


def _function(call: Mapping) -> Mapping:
    function = call.get("function")
    return function if isinstance(function, Mapping) else call


def _name_and_arguments(call: Mapping) -> tuple[Any, Any]:
    """Return the function name and the arguments of a call."""
    return _function(call).get("name"), _function(call).get("arguments")


def _has_arguments(call: Mapping) -> bool:
    """Whether the arguments are an object, a text, or none at all."""
    arguments = _function(call).get("arguments")
    return is_null(arguments) or isinstance(arguments, (Mapping, str))
