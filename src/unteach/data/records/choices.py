"""Find the answer of a record: a text, the first of a list, or a choice by number or letter."""

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any, NamedTuple

from unteach.data.records.columns import Columns
from unteach.data.records.file_notes import FileNotes
from unteach.data.records.names import CHOICES, KEYS
from unteach.data.records.options import AnswerChoices, OfferedChoices, offered
from unteach.data.records.values import (
    REPR,
    decoded,
    is_blank,
    is_list,
    is_repr,
    is_whole,
    kind_of,
    wrong_text,
)
from unteach.errors import Problem

NO_NUMBER = "write the text of the answer; a choice's number is read where `choices` has the texts"


class ChosenAnswer(NamedTuple):
    """The text of the answer, and the wrong choices."""

    text: Any
    wrong: tuple[str, ...] = ()


def answer_of(
    columns: Columns, column: str, where: str, notes: FileNotes
) -> ChosenAnswer | list[Problem]:
    """Return the answer in a column.

    - A number from 0, a letter, or a name of a choice (ARC's `label`) selects that choice; a text
      that equals a choice selects it too.
    - From several answers (a list of texts, or SQuAD's `{"text": [...]}`) the first is taken.
    - Any other value is returned as it is.
    """
    value = columns[column]
    found = offered(columns, column, value, where)
    if not isinstance(found, OfferedChoices):
        return found
    if found.columns:
        return _selected_choice(found, columns, column, where, notes)
    if is_whole(value):
        return [Problem(where, f"{column} is {kind_of(value)}", NO_NUMBER)]
    if column == "answers" and is_repr(value):
        return [Problem(where, "answers is a list as Python writes it", REPR)]
    notes.read("answer", column)
    texts = _several_answers(decoded(value) if column == "answers" else value)
    if texts is None:
        return ChosenAnswer(value)
    notes.several += len(texts) > 1
    return ChosenAnswer(texts[0] if texts else "")


def _selected_choice(
    found: OfferedChoices, columns: Columns, column: str, where: str, notes: FileNotes
) -> ChosenAnswer | list[Problem]:
    """Return the choice that a column selects; all columns that select one must agree."""
    choices, each = found.choices, found.columns[0] not in CHOICES
    for name in found.columns:
        columns[name]
    name = "columns" if each else found.columns[0]
    notes.read("answer", f"{found.columns[0]}{'...' if each else ''}[{column}]")
    wrong = (wrong_text(text, name, where, blank=True) for text in choices.texts)
    if problems := next(filter(None, wrong), None):
        return problems
    place = _place(choices, columns[column], column, name, where)
    if isinstance(place, Problem):
        return [place]
    for key in KEYS:
        if key == column or is_blank(columns.seen(key)):
            continue
        value = columns[key]
        by_number = is_whole(value) and value == place
        other = place if by_number else _place(choices, value, key, name, where)
        if isinstance(other, Problem):
            return [other]
        if choices.texts[other] != choices.texts[place]:
            hint = "keep the one that is right"
            return [Problem(where, f"{column} and {key} name different choices", hint)]
    text = choices.texts[place]
    return ChosenAnswer(text, tuple(t for t in dict.fromkeys(choices.texts) if t != text))


def _place(choices: AnswerChoices, value: Any, column: str, name: str, where: str) -> int | Problem:
    """Return the index of the choice that a value selects; a problem if none or several fit."""
    places = _places(choices, value)
    if len(places) == 1:
        return places.pop()
    ways = (
        "its letter or name" if choices.names else "its number, from 0 and not as text, its letter"
    )
    hint = f"write {ways}, or its text as it stands in {'the ' * (name == 'columns')}{name}"
    if places:
        return Problem(where, f"{column} may be one or another of the {name}", hint)
    what = f"{column} is none of the {len(choices.texts)} {name}"
    if isinstance(value, str) or is_whole(value) or value is None:
        return Problem(where, what, hint)
    return Problem(where, f"{what}, but {kind_of(value)}", hint)


def _places(choices: AnswerChoices, value: Any) -> set[Any]:
    """Return the indices of all choices that a value may mean."""
    if isinstance(value, float) and value.is_integer():  # pandas reads a column with gaps as float
        value = int(value)
    if is_whole(value):
        if str(value) in choices.names:
            return {choices.names.index(str(value))}
        return {value} if not choices.names and 0 <= value < len(choices.texts) else set()
    if not isinstance(value, str):
        return set()
    answer = value.strip()
    names = choices.names or list(ascii_uppercase[: len(choices.texts)])
    as_text = {text.strip(): k for k, text in reversed([*enumerate(choices.texts)])}
    as_name = {name.strip().upper(): k for k, name in enumerate(names)}
    found = {as_text[answer]} if answer in as_text else set()
    letter = answer.upper().strip("().:")
    return found | ({as_name[letter]} if letter in as_name else set())


def _several_answers(value: Any) -> list[str] | None:
    """Return the texts of a list of answers; None where the value is no such list."""
    if isinstance(value, Mapping) and "text" in value:
        value = value["text"] if is_list(value["text"]) else [value["text"]]
    if not is_list(value):
        return None
    texts: list[Any] = [item.get("text") if isinstance(item, Mapping) else item for item in value]
    if not all(isinstance(text, str) for text in texts):
        return None
    return list(dict.fromkeys(text for text in texts if text.strip()))
