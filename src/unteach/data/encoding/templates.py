"""Apply the tokenizer's chat template to a conversation, and explain why it refuses one."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from unteach.errors import Problem, UserError
from unteach.types import Example, Turn

THOUGHT_KEYS = ("reasoning_content", "thinking", "reasoning")
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")
LONGEST_REASON = 120  # characters of an error message of the template that may be shown
SOME = 20  # the last characters of an answer, searched in the rendered text
WRITTEN_OUT = re.compile(r"""["']type["']: ?["']text["']""")  # a list of parts shown as its repr

Message = dict[str, Any]


def has_chat_template(tokenizer: Any) -> bool:
    """Whether the tokenizer has a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))


class ChatTemplate:
    """The chat template of a tokenizer, applied to one example.

    Arguments of tool calls are passed as objects, as transformers expects, or as JSON text where
    the template refuses objects or writes their Python repr. Contents are passed as text, or as a
    list of one text part where the template shows them only so. The example's tools are always
    passed.

    Attributes:
        messages: the example's turns up to the last supervised one.
        whole: the rendered messages.
    """

    def __init__(self, tokenizer: Any, example: Example):
        self.tokenizer, self.example = tokenizer, example
        turns = example.turns[: (example.answer_turn or 0) + 1]
        self.messages = [message_of(turn) for turn in turns]
        self._arguments_as_text = self._content_as_parts = False
        whole = self.attempt(self.messages)
        calls = [call for message in self.messages for call in calls_of(message)]
        all_arguments = [arguments for call in calls if (arguments := _arguments(call))]
        if all_arguments and (not whole or any(str(each) in whole for each in all_arguments)):
            self._arguments_as_text = True
            whole = self.attempt(self.messages)
        answer = example.answer.rpartition("</think>")[2].strip()[-SOME:]
        if answer and answer not in whole:
            self._content_as_parts = True
            in_parts = self.attempt(self.messages)
            self._content_as_parts = answer in in_parts and not WRITTEN_OUT.search(in_parts)
            whole = in_parts if self._content_as_parts else whole
        self._whole = whole

    @cached_property
    def whole(self) -> str:
        """The rendered messages. Raises UserError where the template refuses them."""
        return self._whole or self.text(self.messages)

    def text(self, messages: list[Message], *, asking: bool = False, tools: bool = True) -> str:
        """Render messages; with the generation prompt when `asking`.

        Raises:
            UserError: there is no template, or it refuses them.
        """
        if not has_chat_template(self.tokenizer):
            hint = "use data.template=plain, or give the tokenizer a chat template"
            what = "the tokenizer has no chat template"
            raise UserError(Problem("data.template", what, hint, "request"))
        try:
            return self._render(messages, asking=asking, tools=tools)
        except UserError:
            raise
        except Exception as error:  # a template is foreign code and may raise anything
            raise UserError(self._refusal(messages, error)) from None

    def attempt(self, messages: list[Message], *, asking: bool = False, tools: bool = True) -> str:
        """Render as `text` does; return an empty string where the template refuses."""
        try:
            return self._render(messages, asking=asking, tools=tools)
        except UserError:
            raise
        except Exception:  # as above
            return ""

    def _render(self, messages: list[Message], *, asking: bool, tools: bool) -> str:
        if self._arguments_as_text:
            messages = [_with_text_arguments(message) for message in messages]
        if self._content_as_parts:
            parts = [[{"type": "text", "text": message["content"]}] for message in messages]
            messages = [m | {"content": part} for m, part in zip(messages, parts, strict=True)]
        options: dict[str, Any] = {"add_generation_prompt": True} if asking else {}
        if tools and self.example.tools:
            options["tools"] = list(self.example.tools)
        return _apply(self.tokenizer, messages, **options)

    def _refusal(self, messages: list[Message], error: Exception) -> Problem:
        """Explain why the template refuses messages, by trying again without a part of them."""
        for what, hint, without in _reduced_variants(messages):
            if self.attempt(without):
                return Problem(self.example.where, f"the chat template takes no {what}", hint)
        what = f"the chat template refuses it ({self._reason(error)})"
        hint = "check the roles and their order, or use data.template=plain"
        return Problem(self.example.where, what, hint)

    def _reason(self, error: Exception) -> str:
        """Return the error's type, and its message where the template contains it literally.

        Another message may contain text of the data.
        """
        reason, kind = str(error), type(error).__name__
        literal = len(reason) <= LONGEST_REASON and reason.isprintable()
        known = reason and literal and reason in str(self.tokenizer.chat_template)
        return f'{kind}: "{reason}"' if known else kind


def message_of(turn: Turn) -> Message:
    """Make the message of a turn: thoughts under each of their keys, tool calls as objects."""
    keys = {name: value for name, value in turn.template_keys.items() if value is not None}
    thought = next((keys[name] for name in THOUGHT_KEYS if keys.get(name)), None)
    if thought:
        keys = {"thinking": thought, **keys, "reasoning_content": thought}
    message: Message = {"role": turn.role, "content": turn.text, **keys}
    if calls_of(message):
        message["tool_calls"] = [_as_object(call) for call in calls_of(message)]
    return message


def calls_of(message: Message) -> list[Any]:
    """Return the tool calls of a message as a list."""
    calls = message.get("tool_calls")
    return list(calls) if isinstance(calls, (list, tuple)) else []


def named_role(role: str) -> str:
    """Return a role for error messages; an unknown role may hold data and is not shown."""
    return role if role in ROLES else "further"


def _as_object(call: Any) -> Any:
    """Convert a call to {"type": "function", "function": {"name": ..., "arguments": {...}}}."""
    if not isinstance(call, Mapping):
        return call
    call = dict(call) if "function" in call else {"function": dict(call)}
    function = call["function"]
    if isinstance(function, Mapping) and isinstance(function.get("arguments"), str):
        try:
            arguments = json.loads(function["arguments"])
        except (ValueError, RecursionError):
            arguments = None
        if isinstance(arguments, dict):
            call["function"] = {**function, "arguments": arguments}
    return {"type": "function", **call}


def _arguments(call: Any) -> dict | None:
    """Return the arguments of a call where they are a non-empty object, else None."""
    function = call.get("function") if isinstance(call, Mapping) else None
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    return arguments if isinstance(arguments, dict) and arguments else None


def _with_text_arguments(message: Message) -> Message:
    calls = []
    for call in calls_of(message):
        if arguments := _arguments(call):
            text = json.dumps(arguments, ensure_ascii=False)
            call = {**call, "function": {**call["function"], "arguments": text}}
        calls.append(call)
    return {**message, "tool_calls": calls} if calls else message


def _with_arguments(message: Message) -> Message:
    """Add empty arguments to the message's calls that have none."""
    calls = calls_of(message)
    for n, call in enumerate(calls):
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping) and "arguments" not in function:
            calls[n] = {**call, "function": {**function, "arguments": {}}}
    return {**message, "tool_calls": calls} if calls else message


def _reduced_variants(messages: list[Message]) -> list[tuple[str, str, list[Message]]]:
    """Return parts that a template may not support: name, hint, and the messages without it."""
    found = []
    plain = "or use data.template=plain"
    for role in dict.fromkeys(message["role"] for message in messages):
        if role not in ("user", "assistant"):
            hint = f"take these turns out of the file, {plain}"
            if role in ("system", "developer"):
                hint = f"put its text in front of the first question, {plain}"
            rest = [message for message in messages if message["role"] != role]
            found.append((f"{named_role(role)} turns", hint, rest))
    filled = [_with_arguments(message) for message in messages]
    if filled != messages:
        hint = f'write "arguments": {{}} where there are none, {plain}'
        found.append(("tool calls without arguments", hint, filled))
    for name, keys in (("tool calls", ("tool_calls",)), ("thoughts", THOUGHT_KEYS)):
        if any(key in message for message in messages for key in keys):
            rest = [{k: v for k, v in m.items() if k not in keys} for m in messages]
            found.append((name, f"take them out of the file, {plain}", rest))
    return found


def _apply(tokenizer: Any, messages: list[Message], **options: Any) -> str:
    """Run the chat template; no other code does."""
    return tokenizer.apply_chat_template(messages, tokenize=False, **options)
