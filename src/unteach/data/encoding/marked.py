"""Replace the texts of a message by marks, to find where a chat template shows each text."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from unteach.data.encoding.templates import THOUGHT_KEYS, Message, calls_of
from unteach.types import Span

FIRST_MARK, LAST_MARK = 0xE000, 0xF8FF  # Unicode private use area: no assigned meaning
Kind = Literal["answer", "thought", "call"]


class MarkedText(NamedTuple):
    """A text of a message, and the character that replaces it.

    Attributes:
        kind: "answer" for the content, "thought" for the thought before it, in the content
            (`<think>...</think>`) or in a separate key, "call" for a part of a tool call.
        mark: one character.
        text: the text that it replaces, stripped.
    """

    kind: Kind
    mark: str
    text: str


class MarkedMessage(NamedTuple):
    """A message with marks in place of its texts."""

    message: Message
    slots: tuple[MarkedText, ...]


def marks_for(text: str) -> Iterator[str]:
    """Yield private use characters that do not occur in the text."""
    used = set(text)
    return (mark for code in range(FIRST_MARK, LAST_MARK) if (mark := chr(code)) not in used)


def marked(message: Message, marks: Iterator[str]) -> MarkedMessage:
    """Replace each character of the message's texts by the mark of its text; lengths stay equal.

    Each text has its own mark; when the marks run out, the remaining texts are left unchanged.

    Example:
        >>> said = {"role": "assistant", "content": "<think>Lund?</think> In Lund."}
        >>> found = marked(said, iter("12"))
        >>> found.message["content"], [slot.text for slot in found.slots]
        ('<think>11111</think>222222222', ['Lund?', 'In Lund.'])
    """
    slots: list[MarkedText] = []

    def put(kind: Kind, text: str) -> str:
        mark = next(marks, "") if text.strip() else ""
        if mark:
            slots.append(MarkedText(kind, mark, text.strip()))
        return mark * len(text) or text

    message = dict(message)
    _mark_keys(message, put)
    message["content"] = _mark_content(message["content"], put)
    if calls := calls_of(message):
        message["tool_calls"] = [_mark_call(call, put) for call in calls]
    return MarkedMessage(message, tuple(slots))


def region_of(whole: str, frame: str, marks: str) -> Span | None:
    """Return the character range of `whole` that `frame` has replaced by marks.

    None where the two also differ elsewhere, or a mark occurs in more than one place.

    Example:
        >>> region_of("Q: Who? A: Ada.", "Q: Who? A: 111.", "12")
        (11, 14)
    """
    runs = [(frame.index(mark), frame.rindex(mark) + 1) for mark in marks if mark in frame]
    if not runs or sum(map(frame.count, marks)) < sum(last - first for first, last in runs):
        return None
    before, after = frame[: min(runs)[0]], frame[max(runs)[1] :]
    fits = len(before) + len(after) <= len(whole)
    if not (fits and whole.startswith(before) and whole.endswith(after)):
        return None
    return len(before), len(whole) - len(after)


def _mark_keys(message: Message, put: Callable[[Kind, str], str]) -> None:
    """Give a thought the same mark under each of its keys, since templates read different keys."""
    thoughts: dict[str, str] = {}
    for name in THOUGHT_KEYS:
        text = message.get(name)
        if isinstance(text, str):
            if text not in thoughts:
                thoughts[text] = put("thought", text)
            message[name] = thoughts[text]


def _mark_content(content: str, put: Callable[[Kind, str], str]) -> str:
    """Mark the text before each `</think>` as a thought, from its opening tag or from the start."""
    *heads, rest = content.split("</think>")
    found = ""
    for head in heads:
        lead, opening, thought = head.rpartition("<think>")
        found += put("answer", lead) + opening + put("thought", thought) + "</think>"
    return found + put("answer", rest)


def _mark_call(call: Any, put: Callable[[Kind, str], str]) -> Any:
    """Mark the texts among the arguments of a tool call; its name where there are none."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    arguments = function.get("arguments")
    if any(text.strip() for text in _leaves(arguments)):
        function = {**function, "arguments": _mark_leaves(arguments, put)}
    elif isinstance(function.get("name"), str):
        function = {**function, "name": put("call", function["name"])}
    return {**call, "function": function}


def _leaves(value: Any) -> Iterator[str]:
    """Yield the texts in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)


def _mark_leaves(value: Any, put: Callable[[Kind, str], str]) -> Any:
    if isinstance(value, str):
        return put("call", value)
    if isinstance(value, dict):
        return {key: _mark_leaves(each, put) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mark_leaves(each, put) for each in value]
    return value
