"""Cells of tables without types that hold lists or numbers, where the columns make that plain."""

import re
from collections.abc import Iterator
from typing import Any

from unteach.data.records.names import ANSWERS, CHOICES, KEYS, SPELLED
from unteach.data.records.options import choices_of
from unteach.data.records.values import REPR, decoded, is_list, is_repr
from unteach.errors import Problem

Rows = list[tuple[str, Any]]

NUMBER = re.compile(r"\s*(\d{1,4})(\.0)?\s*")  # 1.0 is what pandas makes of 1 in a column with gaps
AS_TEXT = "where the brackets are part of the answer, write the file as .jsonl"
SEVERAL = f"where each text is an answer, call the column answers; {AS_TEXT}"


def read_cells(rows: Rows, header: list[str], name: str) -> list[Problem]:
    """Put lists and numbers in place of cells that are their text; gives what is to be told.

    A column of answers holds lists where each of its cells does: one alone may be a text. A number
    says which choice is right where the row has a list of choices.

    Args:
        rows: with their places, which are changed.
        header: the names of the columns.
        name: of the file, for messages.
    """
    known = {SPELLED.get(column.casefold(), ""): column for column in header}
    told: list[Problem] = []
    if wrong := known.get("perturbed_answer"):
        for _, row in rows:
            row[wrong] = _texts(row[wrong]) or row[wrong]
    for answers in (known[column] for column in ANSWERS if column in known):
        told += _lists(rows, answers, name)
    choices = [known[column] for column in CHOICES if column in known]
    keys = [known[column] for column in (*ANSWERS, *KEYS) if column in known]
    if choices and keys:
        told += [problem for where, row in rows for problem in _numbered(row, choices, keys, where)]
    return told


def _lists(rows: Rows, column: str, name: str) -> list[Problem]:
    """A column of which each cell is a list of answers becomes one of lists."""
    if column == "answers" or not rows:
        return []
    cells = [row[column] for _, row in rows if row[column].strip()]
    if cells and all(map(is_repr, cells)):
        return [Problem(name, f"holds lists as Python writes them under {column}", REPR)]
    if not cells or not all(map(_texts, cells)):
        return []
    if any(len({*(_texts(cell) or ())}) > 1 for cell in cells):
        return [Problem(name, f"holds lists of several texts under {column}", SEVERAL)]
    for _, row in rows:
        row[column] = _texts(row[column]) or row[column]
    what = f"holds lists as JSON text under {column}, of which the one text is read"
    return [Problem(name, what, AS_TEXT, "note")]


def _texts(cell: str) -> list[str] | None:
    """The texts of a cell that is a list of them, as JSON."""
    found = decoded(cell)
    good = is_list(found) and found and all(isinstance(text, str) for text in found)
    return found if good else None


def _numbered(
    row: dict[str, Any], choices: list[str], keys: list[str], where: str
) -> Iterator[Problem]:
    """Turn what names a choice by its number into one, where no choice has a name or is one."""
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
