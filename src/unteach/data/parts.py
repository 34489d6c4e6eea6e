"""The text of a message's content, which may be written in parts."""

from collections.abc import Mapping
from typing import Any

from unteach.data.hints import kept_from
from unteach.data.values import is_list, is_null

TEXTS = (None, "text", "input_text", "output_text")
OTHERS = {
    "image": "an image",
    "audio": "a sound",
    "video": "a video",
    "file": "a file",
    "inline": "a file",
    "document": "a file",
    "function": "a call of a tool",
    "tool_use": "a call of a tool",
    "tool_result": "the result of a tool",
}


def text_of(content: Any) -> tuple[str | None, str]:
    """The text of a message's content, and what else there is in it.

    Args:
        content: a string, or a list of parts such as `{"type": "text", "text": "..."}`, which are
            joined as they are.

    Returns:
        The text, None where there is none; and a few words on what is no text, else nothing.

    Example:
        >>> text_of([{"type": "text", "text": "In "}, {"type": "text", "text": "Lund."}])
        ('In Lund.', '')
        >>> text_of([{"type": "image_url", "image_url": {"url": "a.png"}}])
        (None, 'holds an image')
    """
    if isinstance(content, str):
        return content, ""
    if isinstance(content, Mapping):
        content = content.get("parts", [content])
    if not is_list(content) or not content:
        return None, ""
    found = [_part(part) for part in content]
    if wrong := next((wrong for _, wrong in found if wrong), ""):
        return None, wrong
    texts = [text for text, _ in found if text is not None]
    return ("".join(texts), "") if len(texts) == len(found) else (None, "")


def _part(part: Any) -> tuple[str | None, str]:
    if isinstance(part, str):
        return part, ""
    if not isinstance(part, Mapping):
        return None, ""
    kind, text = part.get("type"), part.get("text")
    if isinstance(text, str) and kind in TEXTS:
        return text, ""
    names = [kind] if isinstance(kind, str) else [k for k in part if not is_null(part[k])]
    for name in names:
        for begins, words in OTHERS.items():
            if str(name).casefold().removeprefix("input_").startswith(begins):
                return None, f"holds {words}"
    if isinstance(kind, str) and kind not in TEXTS:
        return None, f"holds a part of the type {kept_from(kind)}"
    return None, ""
