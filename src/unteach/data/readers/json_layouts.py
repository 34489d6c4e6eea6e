"""Read JSON objects that hold many records: tables as pandas writes them, and records by key."""

from typing import Any

from unteach.data.records.columns import is_record
from unteach.data.records.hints import shown
from unteach.data.records.names import MAKING, SPELLED, SYSTEMS, form_of_names, is_harmless
from unteach.data.records.values import is_blank
from unteach.errors import Problem
from unteach.types import ROLES

FOR_EACH = ("context", "history", "tools", "functions", *SYSTEMS)
"""Columns that belong to each record; a value given once for the whole file is an error."""

IDS = ("id", "prompt_id", "conversation_id", "dialogue_id", "dialog_id", "uuid")


def table(whole: dict, name: str) -> tuple[list[dict], list[Problem]] | None:
    """Return the rows of an object that is a table, and its problems; None if it is no table.

    A table has columns of values by row (`{"question": {"0": "..."}}`, pandas' default), columns
    of lists, or pandas' layout `split`: names in `columns`, rows in `data`.

    Example:
        >>> table({"question": {"0": "Who?"}, "answer": {"0": "Ada."}}, "a.json")
        ([{'question': 'Who?', 'answer': 'Ada.'}], [])
    """
    if is_split(whole):
        return [dict(zip(whole["columns"], row, strict=True)) for row in whole["data"]], []
    layouts: tuple[Any, ...] = ((dict, _by_row, 1), (list, _by_index, 2))
    for kind, rows_of, least in layouts:
        columns = {key: value for key, value in whole.items() if isinstance(value, kind)}
        names = frozenset(SPELLED.get(key.strip().casefold(), key) for key in columns)
        if len(columns) < least or not form_of_names(names & {*MAKING}):
            continue
        if kind is dict and not all(map(_are_row_keys, columns.values())):
            return [], [_objects_problem([*columns], name)]
        rows, problems = rows_of(columns, name)
        rest = [key for key in whole if key not in columns]
        if problem := _given_once_problem(whole, rest, name):
            return [], [problem]
        if rest:
            what = f"is a table, beside which this is not read: {shown(rest)}"
            problems.append(Problem(name, what, "", "note"))
        return rows, problems
    return None


def keyed(whole: dict) -> bool:
    """Whether the values of the object are records."""
    values = list(whole.values())
    if not values or not all(isinstance(value, dict) for value in values):
        return False
    return any(is_record(value) for value in values)


def is_split(whole: dict) -> bool:
    """Whether the object has pandas' layout `split`."""
    columns, rows = whole.get("columns"), whole.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list) or not columns:
        return False
    named = all(isinstance(column, str) for column in columns) and len({*columns}) == len(columns)
    return named and all(isinstance(row, list) and len(row) == len(columns) for row in rows)


def only_list(whole: dict, key: str, name: str) -> Problem:
    """Make the problem for an object of which one list is read and the other keys are not.

    A note, but an error where the list may be one conversation (texts beside an id), or where
    another key belongs to each record, such as a system message.
    """
    rest = [key for key, value in whole.items() if not isinstance(value, list)]
    unread = [k for k in rest if not is_blank(whole[k]) and not is_harmless(k)]
    if problem := _given_once_problem(whole, rest, name):
        return problem
    texts = all(isinstance(item, str) for item in whole[key])
    if rest and whole[key] and texts and {*map(str.casefold, rest)} & {*IDS}:
        what = f"is an object with an id and a list of texts ({shown([key])})"
        hint = "write turns of a conversation as messages; of raw texts, give the list alone"
        return Problem(name, what, hint)
    what = f"is an object, of which one list is read: {shown([key])}"
    return Problem(name, what + (f"; not read: {shown(unread)}" if unread else ""), "", "note")


def _given_once_problem(whole: dict, keys: list[str], name: str) -> Problem | None:
    """Make the problem of a value that is given once but belongs to each record."""
    once = [k for k in keys if SPELLED.get(k.strip().casefold()) in FOR_EACH]
    filled = [k for k in once if not is_blank(whole[k])]
    hint = "write it into each record, or take it out"
    return Problem(name, f"says {shown(filled)} once for all records", hint) if filled else None


def several_lists(whole: dict, lists: list[str], name: str) -> Problem:
    """Make the problem of an object with no list of records, or with several."""
    what = f"is an object with {len(lists)} lists in it"
    if lists:
        what += f" ({shown(lists)})"
    hint = "give a list, or an object with one list in it"
    if roles := [role for role in ROLES if role in lists]:
        files = " and ".join(f"--{role} {role}.json" for role in roles)
        hint = f"write each list to a file of its own, and give them as {files}"
    elif lists:
        hint = "write the list of examples to a file of its own"
    elif any(isinstance(value, dict) for value in whole.values()):
        hint = "give a list of records; of a table, pandas writes one with orient='records'"
    return Problem(name, what, hint)


def _are_row_keys(values: dict) -> bool:
    """Whether all keys have a digit, as row numbers, dates and ids; words may be record keys."""
    return all(any(sign.isdigit() for sign in key) for key in values)


def _objects_problem(columns: list[str], name: str) -> Problem:
    what = f"has objects under {shown(columns)}"
    hint = "in a record, write the texts themselves, or messages as a list of them; of a table, "
    return Problem(name, what, f"{hint}pandas writes records with orient='records'")


def _by_row(columns: dict[str, dict], name: str) -> tuple[list[dict], list[Problem]]:
    first = next(iter(columns.values()))
    # Filling the gaps could make a table that is far larger than the file.
    if any(values.keys() != first.keys() for values in columns.values()):
        what = f"has columns of different rows: {shown([*columns])}"
        return [], [Problem(name, what, "give each column a value for every record")]
    return [{column: values[row] for column, values in columns.items()} for row in first], []


def _by_index(columns: dict[str, list], name: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    lengths = {column: len(values) for column, values in columns.items()}
    if len({*lengths.values()}) > 1:
        counts = ", ".join(str(length) for length in lengths.values())
        what = f"has columns of unequal lengths: {shown([*lengths])} have {counts}"
        return [], [Problem(name, what, "give each column a value for every record")]
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows], []
