"""Read from a message's keys whether it is a turn at all, and whether it is trained on."""

from collections.abc import Mapping
from typing import Any

from unteach.data.records.content_parts import THOUGHT_PARTS, hint_of, other_than_text
from unteach.data.records.values import is_blank, is_null

THOUGHT_TYPES = (*THOUGHT_PARTS, "thought", "thoughts", "reasoning_content", "redacted_thinking")
OTHER_TYPES = ("image", "image_url", "audio", "video", "file", "tool_use", "tool_result")
GRADIO = {"title", "id", "parent_id", "log", "duration", "status"}
"""Keys of Gradio's metadata; messages with a title there are shown apart from the answer."""

MISNAMED = ("tool_call", "toolcalls", "toolcall", "function_calls", "functioncall", "functioncalls")

TRAINED = ("train", "training", "trainable", "loss", "weight", "loss_weight", "loss_mask")
"""Keys with a clear meaning: 1 or true is trained on, 0 or false is not."""

PARTLY = ("train_detail", "training_detail")
"""Keys of axolotl that select some characters of a turn."""

MASKS = ("mask", "masks", "train_mask", "label_mask")
"""Keys whose meaning is ambiguous."""

LEFT_OUT = ("masked", "ignore", "ignored", "exclude", "excluded", "skip")
"""Keys that exclude a turn from training, or from the conversation."""

TRAIN_KEYS = (*TRAINED, *PARTLY, *MASKS, *LEFT_OUT)
INSTEAD = 'write "weight": 0 in a turn that is not trained on, and take the key out'


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


def is_trained(message: Mapping[str, Any], role: str) -> tuple[bool, list[tuple[str, str]]]:
    """Whether the turn is trained on; and the unclear keys, each with a hint.

    Example:
        >>> is_trained({"content": "In Lund.", "weight": 0}, "assistant")
        (False, [])
        >>> is_trained({"content": "In Lund.", "mask": 1}, "assistant")[1][0][0]
        'mask may mean that the turn is trained on, or that it is not'
    """
    trained, wrong = True, []
    for key in TRAINED:
        value = message.get(key)
        if is_null(value):
            continue
        if isinstance(value, (str, list, tuple, Mapping)) or value not in (0, 1):
            hint = "a turn is trained on or not: write 1 or 0, or take the key out"
            wrong.append((f"{key} is neither 0 nor 1", hint))
        elif value and isinstance(value, bool) and role != "assistant":
            hint = "only the assistant's turns are: take the key out"
            wrong.append((f"{key} says that a turn of the user is trained on", hint))
        trained = trained and bool(value)
    for key in PARTLY:
        if not is_blank(message.get(key)):
            hint = f"a turn is trained on as a whole or not: {INSTEAD}"
            wrong.append((f"{key} says that a part of the turn is trained on", hint))
    for key in (*MASKS, *LEFT_OUT):
        value = message.get(key)
        kept = key in LEFT_OUT and isinstance(value, (bool, int, float)) and not value
        if not is_blank(value) and not kept:
            what = f"{key} may mean that the turn is trained on, or that it is not"
            if key in LEFT_OUT:
                what = f"{key} may leave the turn out of what is trained on, or out of the talk"
            wrong.append((what, INSTEAD))
    return trained, wrong
