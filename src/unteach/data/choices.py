"""The answer of a record, which may be one of several: a choice by number or letter, or a list."""

from collections.abc import Mapping
from itertools import takewhile
from string import ascii_uppercase
from typing import Any, NamedTuple

from unteach.data.columns import Columns
from unteach.data.filenotes import FileNotes
from unteach.data.names import CHOICES
from unteach.data.values import decoded, is_blank, is_list, is_whole, kind_of
from unteach.nouns import Problem

LETTERED = ("{}", "option_{}", "choice_{}")
"""Columns that have a choice each, with a letter in their name."""

NO_NUMBER = "write the text of the answer; a choice's number is read where `choices` has the texts"


class Choices(NamedTuple):
    """The texts that one can choose from, and how a file names them; no names where it counts."""

    texts: list[str]
    names: list[str]


class Answer(NamedTuple):
    """What is answered, and the choices that are wrong."""

    text: Any
    wrong: tuple[str, ...] = ()


def answer_of(
    columns: Columns, column: str, where: str, notes: FileNotes
) -> Answer | list[Problem]:
    """The answer that a column gives.

    - A number, from 0, or a letter, or one of the names that the choices have (ARC's `label`),
      stands for that choice; a text that is a choice is that text.
    - Of several answers (a list of texts, or SQuAD's `{"text": [...]}`) the first is taken.
    - Anything else is given back as it is.
    """
    value = columns[column]
    for name in CHOICES:
        choices = choices_of(columns.seen(name))
        if choices:
            columns[name]
            notes.read("answer", f"{name}[{column}]")
            return _chosen(choices, value, column, name, where)
        if name == "choices" and columns.seen(name) is not None:
            return [Problem(where, "choices is no list of texts", "write a list of strings")]
    if lettered := _lettered(columns, value):
        for name in lettered.columns:
            columns[name]
        notes.read("answer", f"{lettered.columns[0]}...[{column}]")
        return _chosen(lettered.choices, value, column, "columns", where)
    if is_whole(value):
        return [Problem(where, f"{column} is {kind_of(value)}", NO_NUMBER)]
    notes.read("answer", column)
    texts = _several(decoded(value) if column == "answers" else value)
    if texts is None:
        return Answer(value)
    notes.several += len(texts) > 1
    return Answer(texts[0] if texts else "")


class Lettered(NamedTuple):
    """Choices that have a column each."""

    columns: list[str]
    choices: Choices


def _lettered(columns: Columns, value: Any) -> Lettered | None:
    """The columns A, B, ... of a record whose answer is such a letter; None where it is not."""
    if not isinstance(value, str) or value.strip().upper() not in [*ascii_uppercase]:
        return None
    for form in LETTERED:
        for letters in (ascii_uppercase, ascii_uppercase.lower()):
            named = ((form.format(letter), letter.upper()) for letter in letters)
            found = [*takewhile(lambda pair: not is_blank(columns.seen(pair[0])), named)]
            texts = [columns.seen(name) for name, _ in found]
            choices = _of(texts, [letter for _, letter in found])
            if choices and len(texts) > 1:
                return Lettered([name for name, _ in found], choices)
    return None


def choices_of(value: Any) -> Choices | None:
    """The choices of a record, in the layouts that data sets have; None where there are none.

    Example:
        >>> choices_of({"text": ["Lund", "Oslo"], "label": ["A", "B"]}).names
        ['A', 'B']
        >>> choices_of({"A": "Lund", "B": "Oslo"}).texts
        ['Lund', 'Oslo']
    """
    value = decoded(value)
    if isinstance(value, Mapping):
        if is_list(value.get("text")):
            return _of(value["text"], value.get("label", []))
        return _of(list(value.values()), list(value))
    if not is_list(value):
        return None
    if value and all(isinstance(choice, Mapping) for choice in value):
        names = [choice.get("label") for choice in value]
        return _of([choice.get("text") for choice in value], [n for n in names if n is not None])
    return _of(value, [])


def _of(texts: Any, names: Any) -> Choices | None:
    good = texts and all(isinstance(text, str) and text.strip() for text in texts)
    if not good or not is_list(names) or len(names) not in (0, len(texts)):
        return None
    return Choices(list(texts), [str(name) for name in names])


def _chosen(
    choices: Choices, value: Any, column: str, name: str, where: str
) -> Answer | list[Problem]:
    places = _places(choices, value)
    if len(places) == 1:
        text = choices.texts[places.pop()]
        return Answer(text, tuple(t for t in dict.fromkeys(choices.texts) if t != text))
    hint = f"write its number, from 0, its letter, or its text as it stands in {name}"
    if places:
        return [Problem(where, f"{column} may be one or another of the {name}", hint)]
    what = f"{column} is none of the {len(choices.texts)} {name}"
    if isinstance(value, str) or is_whole(value) or value is None:
        return [Problem(where, what, hint)]
    return [Problem(where, f"{what}, but {kind_of(value)}", hint)]


def _places(choices: Choices, value: Any) -> set[Any]:
    """Which choices a value may stand for."""
    if isinstance(value, float) and value.is_integer():  # a column with gaps, as pandas reads it
        value = int(value)
    if is_whole(value):
        if str(value) in choices.names:
            return {choices.names.index(str(value))}
        return {value} if not choices.names and 0 <= value < len(choices.texts) else set()
    if not isinstance(value, str):
        return set()
    said = value.strip()
    names = choices.names or list(ascii_uppercase[: len(choices.texts)])
    as_text = {text.strip(): k for k, text in reversed([*enumerate(choices.texts)])}
    as_name = {name.strip().upper(): k for k, name in enumerate(names)}
    found = {as_text[said]} if said in as_text else set()
    letter = said.upper().strip("().")
    return found | ({as_name[letter]} if letter in as_name else set())


def _several(value: Any) -> list[str] | None:
    """Texts of which each is an answer; None where the value is no list of them."""
    if isinstance(value, Mapping) and "text" in value:
        value = value["text"] if is_list(value["text"]) else [value["text"]]
    if not is_list(value):
        return None
    texts: list[Any] = [item.get("text") if isinstance(item, Mapping) else item for item in value]
    if not all(isinstance(text, str) for text in texts):
        return None
    return list(dict.fromkeys(text for text in texts if text.strip()))
