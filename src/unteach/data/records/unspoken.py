"""Detect messages whose keys show that they are no turn: a thought, an image, a tool call."""

from collections.abc import Mapping
from typing import Any

from unteach.data.records.content_parts import THOUGHT_PARTS, hint_of, other_than_text
from unteach.data.records.values import is_blank

THOUGHT_TYPES = (*THOUGHT_PARTS, "thought", "thoughts", "reasoning_content", "redacted_thinking")
OTHER_TYPES = ("image", "image_url", "audio", "video", "file", "tool_use", "tool_result")
GRADIO = {"title", "id", "parent_id", "log", "duration", "status"}
"""Keys of Gradio's metadata; messages with a title there are shown apart from the answer."""

MISNAMED = ("tool_call", "toolcalls", "toolcall", "function_calls", "functioncall", "functioncalls")


def not_spoken(message: Mapping[str, Any], role: str) -> list[tuple[str, str]]:
    """Return the reasons why a message is no turn, each with a hint.

    Example:
        >>> not_spoken({"content": "She bakes.", "type": "reasoning"}, "assistant")[0][0]
        ' is a thought'
    """
    found = []
    kind = message.get("type")
    small = kind.strip().casefold() if isinstance(kind, str) else ""
    if small in OTHER_TYPES:
        other = other_than_text(small)
        found.append((f" {other}", hint_of(other)))
    thought = small in THOUGHT_TYPES or message.get("thought") is True
    if role == "assistant" and (thought or message.get("channel") == "analysis"):
        found.append((" is a thought", hint_of("thought")))
    about = message.get("metadata")
    if role == "assistant" and has_title(about) and {*(about or ())} <= GRADIO:
        hint = "take it out, or write a thought as reasoning_content of the next answer"
        found.append((" is a thought or the use of a tool (title in metadata)", hint))
    for key, value in message.items():
        if key.casefold() in MISNAMED and not is_blank(value):
            found.append((f": {key} is not read", "write it as tool_calls: a list of objects"))
    return found


def has_title(metadata: Any) -> bool:
    """Whether the metadata of a message has a title, so that it must not be ignored."""
    return isinstance(metadata, Mapping) and not is_blank(metadata.get("title"))
