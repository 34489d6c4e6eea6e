"""Detect records that are excluded from training, bad answers, or single messages."""

from typing import Any

from unteach.data.records.columns import Columns
from unteach.data.records.names import ROLE_WORDS, SINGLE, TRAINED, WANTED
from unteach.errors import Problem

YES, NO = ("1", "1.0", "true"), ("0", "0.0", "false")
THREAD = ("parent_id", "message_id", "message_tree_id", "conversation_id", "turn")


def is_excluded(columns: Columns) -> bool:
    """Whether the record excludes itself from training by `weight` 0 or `train` false."""
    flags = {name: _as_bool(columns.seen(name)) for name in TRAINED if name in columns}
    for name, truth in flags.items():
        if truth is not None:
            columns[name]
    return False in flags.values()


def unwanted(columns: Columns, where: str) -> list[Problem]:
    """Find answers that are marked as bad, as in data for KTO."""
    found = []
    for name in WANTED:
        value = columns.seen(name)
        flag = value if not isinstance(value, str) else value.strip().casefold()
        if flag is True or flag == "true":
            columns[name]
        if flag is False or flag == "false":
            hint = "This is a preference: take out the lines with answers that were to be avoided."
            found.append(Problem(where, f"{name} is false, so the answer is no good one", hint))
    return found


def one_message(columns: Columns, where: str) -> list[Problem]:
    """Find records that are one message of a conversation whose others are in other records."""
    for name in SINGLE:
        value = columns.seen(name)
        if not isinstance(value, str):
            continue
        thread = any(key in columns for key in THREAD) and name != "author"
        if thread or value.strip().casefold() in ROLE_WORDS:
            what = f"is one message of a conversation: it has the columns text and {name}"
            return [Problem(where, what, JOIN)]
    return []


JOIN = (
    "write one record for each conversation, with its messages in order (by their parents, where "
    'they name them): {"messages": [{"role": "user", "content": "..."}, ...]}'
)


def _as_bool(value: Any) -> bool | None:
    """Parse a value as true or false; None if it is neither."""
    text = str(value).strip().casefold()
    return True if text in YES else False if text in NO else None
