"""Read the choices of a multiple-choice record: from a list, an object, or one column each."""

import re
from collections.abc import Mapping
from itertools import count, takewhile
from string import ascii_uppercase
from typing import Any, NamedTuple

from unteach.data.records.columns import Columns
from unteach.data.records.names import CHOICES, KEYS, is_harmless
from unteach.data.records.values import REPR, decoded, is_blank, is_list, is_repr, is_whole
from unteach.errors import Problem

TEXTS = ("text", "value", "content", "choice", "option")
NAMES = ("label", "labels", "key", "id", "letter", "name", "index", "idx", "option")
"""Keys of a choice that hold its text, and keys that hold its name."""

KEY = re.compile(r"\(?([A-Za-z]|\d{1,2}(\.0)?)[).:]*")
COLUMN = re.compile(r"((?:option|choice|answer|opt|op)[ _-]?)?([a-z]|\d{1,2})", re.IGNORECASE)
HINT = "write a list of strings, or of objects with a text and a label"


class AnswerChoices(NamedTuple):
    """Texts of the choices, and their names; no names where a file uses numbers."""

    texts: list[str]
    names: list[str]


class OfferedChoices(NamedTuple):
    """Choices, and the columns that have them."""

    columns: list[str]
    choices: AnswerChoices


NOTHING = OfferedChoices([], AnswerChoices([], []))


def offered(
    columns: Columns, column: str, value: Any, where: str
) -> OfferedChoices | list[Problem]:
    """Return the choices of a record; without columns if it has none; problems if unclear.

    Args:
        columns: of the record.
        column: name of the column that selects the right choice.
        value: its value.
        where: file and line, for messages.
    """
    found = {}
    for name in CHOICES:
        content = columns.seen(name)
        if choices := None if is_blank(content) else choices_of(content):
            found[name] = choices
        elif content is not None and _is_meant(name, content, column, value):
            what = f"{name} is no list of texts" if not is_blank(content) else f"{name} is empty"
            return [Problem(where, what, REPR if is_repr(content) else HINT)]
    if len({tuple(choices.texts) for choices in found.values()}) > 1:
        return [Problem(where, f"{' and '.join(found)} differ", "keep one of them")]
    if found:
        named = [choices for choices in found.values() if choices.names]
        return OfferedChoices([*found], (named or [*found.values()])[0])
    return _by_column(columns, value, where) if is_key(value) else NOTHING


def choices_of(value: Any) -> AnswerChoices | None:
    """Read the choices from any of the layouts of public datasets; None where there are none.

    Example:
        >>> choices_of({"text": ["Lund", "Oslo"], "label": ["A", "B"]}).names
        ['A', 'B']
        >>> choices_of([{"key": "B", "value": "Oslo"}, {"key": "A", "value": "Lund"}]).names
        ['B', 'A']
        >>> choices_of({"A": "Lund", "B": "Oslo"}).texts
        ['Lund', 'Oslo']
    """
    value = decoded(value)
    if isinstance(value, Mapping):
        lists = {key: item for key, item in value.items() if not is_blank(item)}
        if lists and all(map(is_list, lists.values())):
            if len({len(each) for each in lists.values()}) > 1:
                return None
            rows = zip(*lists.values(), strict=True)
            return _of_objects([dict(zip(lists, row, strict=True)) for row in rows])
        return _of(list(lists.values()), list(lists))
    if not is_list(value):
        return None
    if value and all(isinstance(choice, Mapping) for choice in value):
        return _of_objects(value)
    return _of(value, [])


def is_key(value: Any) -> bool:
    """Whether a value may be the name of a choice and not its text: a letter or a number."""
    return is_whole(value) or (isinstance(value, str) and bool(KEY.fullmatch(value.strip())))


def _is_meant(name: str, given: Any, column: str, value: Any) -> bool:
    """Whether a column without choices was meant to have some; `options` may mean other things."""
    asks = column in KEYS or is_key(value)
    if is_blank(given):
        return column in KEYS or (name == "choices" and is_list(given))
    return name == "choices" or asks or is_list(decoded(given)) or is_repr(given)


def _of_objects(objects: Any) -> AnswerChoices | None:
    """Read choices that are objects: each with one text, at most one name, and nothing else."""
    keys = {key for each in objects for key, given in each.items() if not is_blank(given)}
    text_keys = [key for key in TEXTS if key in keys]
    if not text_keys:
        return None
    names = [key for key in NAMES if key in keys and key != text_keys[0]]
    others = [
        key for key in keys if key not in (text_keys[0], *names) and not is_harmless(str(key))
    ]
    if len(names) > 1 or others:
        return None
    given = [each.get(names[0]) for each in objects] if names else []
    return _of([each.get(text_keys[0]) for each in objects], given)


def _of(texts: Any, names: list[Any]) -> AnswerChoices | None:
    good = texts and all(isinstance(text, str) and text.strip() for text in texts)
    if not good or len(names) not in (0, len(texts)):
        return None
    if not all(isinstance(name, str) or is_whole(name) for name in names):
        return None
    called = [str(name).strip() for name in names]
    once = len({name.casefold() for name in called}) == len(called)
    return AnswerChoices(list(texts), called) if once else None


def _by_column(columns: Columns, value: Any, where: str) -> OfferedChoices | list[Problem]:
    """Read choices from the columns A, B, ... or option_1, option_2, ... of a record."""
    groups: dict[str, dict[str, str]] = {}
    for name in columns:
        if isinstance(name, str) and (found := COLUMN.fullmatch(name.strip())):
            groups.setdefault((found[1] or "").casefold(), {})[found[2].upper()] = name
    letter = isinstance(value, str) and not any(sign.isdigit() for sign in value)
    for prefix, named in sorted(groups.items()):
        names = _in_order(named, columns)
        texts = [columns.seen(named[name]) for name in names]
        choices = _of(texts, names) if len(names) > 1 else None
        if choices:
            return OfferedChoices([named[name] for name in names], choices)
        if len(names) > 1 and (letter or prefix):
            what = f"{named[names[0]]} and the columns like it are no texts"
            return [Problem(where, what, "write each choice as a string")]
    return NOTHING


def _in_order(named: dict[str, str], columns: Columns) -> list[str]:
    """Return the letters from A, or numbers from 0 or 1, up to the first missing column."""
    first = 0 if "0" in named else 1
    for order in (iter(ascii_uppercase), map(str, count(first))):
        present = takewhile(
            lambda name: name in named and not is_blank(columns.seen(named[name])), order
        )
        if len(found := [*present]) > 1:
            return found
    return []
