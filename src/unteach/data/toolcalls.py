"""Calls of tools, and the tools themselves, in the form that chat templates read."""

from collections.abc import Mapping
from typing import Any

from unteach.data.values import decoded, is_blank, is_list


def calls_of(message: Mapping) -> Any:
    """The `tool_calls` of a message, or its one `function_call` of old; nothing where it has none.

    Arguments that stand there as JSON text, as OpenAI's API gives them, become the object that
    chat templates expect.

    Example:
        >>> calls_of({"function_call": {"name": "look", "arguments": '{"who": "Ada"}'}})
        [{'type': 'function', 'function': {'name': 'look', 'arguments': {'who': 'Ada'}}}]
    """
    calls = decoded(message.get("tool_calls"))
    if not is_blank(calls):
        return [_with_object(call) for call in calls] if is_list(calls) else calls
    call = decoded(message.get("function_call"))
    return [_call(call)] if isinstance(call, Mapping) and call.get("name") else None


def said_calls(content: Any) -> list[dict] | None:
    """Calls that are the content of a turn, as JSON; None where it is something else."""
    calls = decoded(content)
    calls = calls if is_list(calls) else [calls]
    if not calls or not all(isinstance(call, Mapping) and call.get("name") for call in calls):
        return None
    return [_call(call) for call in calls]


def tools_of(tools: Any, functions: Any) -> tuple[Any, ...] | None:
    """The tools that a record names; None where that is no list of objects.

    Args:
        tools: a list of objects, or the same as JSON text.
        functions: OpenAI's list of old, of the functions alone.
    """
    tools, functions = decoded(tools), decoded(functions)
    if is_blank(tools) and is_list(functions):
        tools = [{"type": "function", "function": function} for function in functions]
    if is_blank(tools):
        return ()
    if isinstance(tools, Mapping):
        tools = [tools]
    if not is_list(tools) or not all(isinstance(tool, Mapping) for tool in tools):
        return None
    return tuple(dict(tool) for tool in tools)


def _call(call: Mapping) -> dict:
    return _with_object({"type": "function", "function": dict(call)})


def _with_object(call: Any) -> Any:
    if not isinstance(call, Mapping):
        return call
    function = call.get("function")
    if isinstance(function, Mapping):
        return {**call, "function": _with_object(function)}
    arguments = decoded(call.get("arguments"))
    return {**call, "arguments": arguments} if isinstance(arguments, Mapping) else dict(call)
