"""Convert CSV cells that are lists or numbers as text, where the column makes that certain."""

import re
from collections.abc import Iterator
from typing import Any

from unteach.data.records.names import ANSWERS, CHOICES, KEYS, SPELLED
from unteach.data.records.options import choices_of
from unteach.data.records.values import REPR, decoded, is_list, is_repr
from unteach.errors import Problem

Rows = list[tuple[str, Any]]

NUMBER = re.compile(r"\s*(\d{1,4})(\.0)?\s*")  # pandas writes 1 as 1.0 in a column with gaps
AS_TEXT = "where the brackets are part of the answer, write the file as .jsonl"
SEVERAL = f"where each text is an answer, call the column answers; {AS_TEXT}"


def read_cells(rows: Rows, header: list[str], name: str) -> list[Problem]:
    """Replace cells that are lists or numbers as text by their values; return the problems.

    A column of answers is read as lists only if every cell of it is one. A number is read as the
    index of the right choice where the row has a list of choices.

    Args:
        rows: rows with file and line; they are changed in place.
        header: the names of the columns.
        name: of the file, for messages.
    """
    known = {SPELLED.get(column.casefold(), ""): column for column in header}
    problems: list[Problem] = []
    if wrong := known.get("perturbed_answer"):
        for _, row in rows:
            row[wrong] = _texts_of_list(row[wrong]) or row[wrong]
    for answers in (known[column] for column in ANSWERS if column in known):
        problems += _convert_lists(rows, answers, name)
    choices = [known[column] for column in CHOICES if column in known]
    keys = [known[column] for column in (*ANSWERS, *KEYS) if column in known]
    if choices and keys:
        problems += [
            problem
            for where, row in rows
            for problem in _convert_numbers(row, choices, keys, where)
        ]
    return problems


def _convert_lists(rows: Rows, column: str, name: str) -> list[Problem]:
    """Convert a column to lists if each of its cells is a list of answers."""
    if column == "answers" or not rows:
        return []
    cells = [row[column] for _, row in rows if row[column].strip()]
    if cells and all(map(is_repr, cells)):
        return [Problem(name, f"holds lists as Python writes them under {column}", REPR)]
    if not cells or not all(map(_texts_of_list, cells)):
        return []
    if any(len({*(_texts_of_list(cell) or ())}) > 1 for cell in cells):
        return [Problem(name, f"holds lists of several texts under {column}", SEVERAL)]
    for _, row in rows:
        row[column] = _texts_of_list(row[column]) or row[column]
    what = f"holds lists as JSON text under {column}, of which the one text is read"
    return [Problem(name, what, AS_TEXT, "note")]


def _texts_of_list(cell: str) -> list[str] | None:
    """Return the texts of a cell that is a JSON list of texts, else None."""
    found = decoded(cell)
    good = is_list(found) and found and all(isinstance(text, str) for text in found)
    return found if good else None


def _convert_numbers(
    row: dict[str, Any], choices: list[str], keys: list[str], where: str
) -> Iterator[Problem]:
    """Convert cells that name a choice by number to int; only if the choices have no names."""
    offered = next(filter(None, (choices_of(row[column]) for column in choices)), None)
    if offered is None or offered.names:
        return
    texts = [text.strip() for text in offered.texts]
    for column in keys:
        cell = row[column]
        if not isinstance(cell, str) or not (number := NUMBER.fullmatch(cell)):
            continue
        place = int(number[1])
        if cell.strip() not in texts:
            row[column] = place
        elif place < len(texts) and texts[place] != cell.strip():
            hint = "write its letter: its number may also be its text"
            yield Problem(where, f"{column} may be one or another of the choices", hint)
