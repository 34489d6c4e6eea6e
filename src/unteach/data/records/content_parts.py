"""Read the content of a message, a string or a list of parts, into its text and its thought."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from unteach.data.records.hints import kept_from
from unteach.data.records.names import is_harmless
from unteach.data.records.values import is_blank, is_list, is_null

TEXTS = (None, "text", "input_text", "output_text")
WHOLE = (None, "text", "multimodal_text")
"""Content types whose parts are read."""

THOUGHT_PARTS = ("thinking", "reasoning")
READ = ("type", "content_type", "text", "thought")
NO_NEWS = ("cache_control", "signature", "thoughtSignature", "thought_signature", "logprobs")
OTHERS = {
    "image": "an image",
    "audio": "a sound",
    "video": "a video",
    "file": "a file",
    "inline": "a file",
    "document": "a file",
    "functionresponse": "the result of a tool",
    "function": "a call of a tool",
    "executablecode": "a program",
    "codeexecution": "the result of a program",
    "tool_use": "a call of a tool",
    "tool_result": "the result of a tool",
}
HINTS = {
    "a call of a tool": "write it beside the content, as "
    '"tool_calls": [{"function": {"name": "...", "arguments": {...}}}]',
    "the result of a tool": 'write it as a turn of its own: {"role": "tool", "content": "..."}',
    "thought": "write it as reasoning_content of the answer that it leads to, or take it out",
}


class MessageContent(NamedTuple):
    """The content of a message.

    Attributes:
        text: the text; None where the content is no text.
        wrong: describes a part that is no text; empty where all parts are.
        thought: the text of the parts that are thoughts.
        unread: names of further keys of its parts that have a value.
    """

    text: str | None
    wrong: str = ""
    thought: str = ""
    unread: tuple[str, ...] = ()


def content_of(content: Any) -> MessageContent:
    """Read the text of a message's content, its thought, and the names of unread keys.

    Args:
        content: a string, or a list of parts such as `{"type": "text", "text": "..."}`, which are
            joined without a separator.

    Example:
        >>> content_of([{"type": "text", "text": "In "}, {"type": "text", "text": "Lund."}]).text
        'In Lund.'
        >>> content_of([{"text": "She bakes.", "thought": True}, {"text": "In Lund."}])[:3]
        ('In Lund.', '', 'She bakes.')
        >>> content_of([{"type": "image_url", "image_url": {"url": "a.png"}}])[:2]
        (None, 'holds an image')
    """
    if isinstance(content, str):
        return MessageContent(content)
    unread: tuple[str, ...] = ()
    if isinstance(content, Mapping):
        if content.get("content_type") not in WHOLE:
            return MessageContent(None, _of_type(content["content_type"]))
        if "parts" in content:
            unread = _further(content, ("parts", "content_type", "role"))
        content = content.get("parts", [content])
    if not is_list(content) or not content:
        return MessageContent(None)
    return _joined([_part(part) for part in content], unread)


def thought_of(value: Any) -> str | None:
    """Return the text of a thought, which may be a list of parts; None where it is no text.

    Example:
        >>> thought_of([{"type": "text", "text": "She "}, {"type": "text", "text": "bakes."}])
        'She bakes.'
    """
    found = content_of(value)
    if found.text is None or (found.text.strip() and found.thought.strip()):
        return None
    return found.thought or found.text


def hint_of(wrong: str) -> str:
    """Return a hint for a content that is no text.

    Example:
        >>> hint_of("holds an image")
        'only text is read: take the line out, or mend it'
    """
    hints = (hint for words, hint in HINTS.items() if words in wrong)
    return next(hints, "only text is read: take the line out, or mend it")


def other_than_text(name: Any) -> str:
    """Return `holds an image` and the like where a part or key has such a name; else empty."""
    small = str(name).casefold().removeprefix("input_")
    return next(
        (f"holds {words}" for begins, words in OTHERS.items() if small.startswith(begins)), ""
    )


def _joined(found: list[MessageContent], unread: tuple[str, ...]) -> MessageContent:
    if wrong := next((part.wrong for part in found if part.wrong), ""):
        return MessageContent(None, wrong)
    if any(part.text is None for part in found):
        return MessageContent(None)
    has_text = False
    for part in found:
        if part.thought and has_text:
            return MessageContent(None, "holds a thought behind a text")
        has_text = has_text or bool(part.text and part.text.strip())
    text = "".join(part.text or "" for part in found)
    thought = "".join(part.thought for part in found)
    further = [name for part in found for name in part.unread]
    return MessageContent(text, "", thought, tuple(dict.fromkeys((*unread, *further))))


def _part(part: Any) -> MessageContent:
    if isinstance(part, str):
        return MessageContent(part)
    if not isinstance(part, Mapping):
        return MessageContent(None)
    kind = part.get("content_type") if is_null(part.get("type")) else part["type"]
    if kind in THOUGHT_PARTS:
        return _thought(part, kind)
    keys = [str(key) for key in part if key not in READ and not is_blank(part[key])]
    names = [kind] if isinstance(kind, str) else []
    names += [key for key in keys if not key.endswith(("id", "ids", "index"))]
    if wrong := next(filter(None, map(other_than_text, names)), ""):
        return MessageContent(None, wrong)
    if kind not in TEXTS:
        return MessageContent(None, _of_type(kind))
    text, thought = part.get("text"), part.get("thought")
    if not isinstance(text, str):
        return MessageContent(None)
    if thought is True:
        return MessageContent("", thought=text)
    if thought is not False and not is_blank(thought):
        return MessageContent(None, "holds a thought beside a text, in one part")
    return MessageContent(text, unread=_further(part, READ))


def _thought(part: Mapping, kind: str) -> MessageContent:
    """Read a part that is a thought, in the formats of Anthropic and Mistral."""
    value = next((part[n] for n in (kind, "text") if not is_blank(part.get(n))), None)
    parts: Any = value if is_list(value) else [value]
    found = [each.get("text") if isinstance(each, Mapping) else each for each in parts]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        return MessageContent(None, "holds a thought that is no text")
    return MessageContent("", thought="".join(texts), unread=_further(part, (*READ, kind)))


def _further(part: Mapping, read: tuple[str, ...]) -> tuple[str, ...]:
    """Return the other keys that have a value and are neither harmless nor technical."""
    return tuple(
        str(name)
        for name, value in part.items()
        if name not in (*read, *NO_NEWS) and not is_blank(value) and not is_harmless(str(name))
    )


def _of_type(kind: Any) -> str:
    return f"holds a part of the type {kept_from(kind)}"
