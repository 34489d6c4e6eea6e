"""Read a benchmark's records by their own columns from the files of a folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unteach.data import read_rows
from unteach.data.readers.sources import records
from unteach.errors import Problem, UserError, require
from unteach.suites._sources import KINDS, find
from unteach.types import Example

Record = Mapping[str, Any]


class Records(NamedTuple):
    """Where the examples of a group come from.

    Attributes:
        files: possible names of its file, see `records_of`.
        columns: that every record must have.
        row: from a record to the columns that unteach reads; None leaves it out.
    """

    files: Sequence[str]
    columns: Sequence[str]
    row: Callable[[Record], Record | None]


def records_of(
    folder: Path | None, suite: str, names: Sequence[str], columns: Sequence[str]
) -> list[Record]:
    """Return the records of the first file that exists, each with the columns that it must have.

    Args:
        folder: given as `--data`; these benchmarks are read from files alone.
        suite: its name, for messages.
        names: possible file names without suffix, also in a subfolder `data`.
        columns: that every record must have.

    Raises:
        UserError: there is no folder, no such file, or a record lacks a column.
    """
    if folder is None:
        what = f"is needed: {suite} is read from its own files, which are not loaded from the hub"
        raise UserError(Problem("--data", what, f"give the folder with {names[0]}", "request"))
    path = find(folder, tuple(names), ("", "data"))
    if path is None:
        also = f"; it may also be called {', '.join(names[1:])}" if names[1:] else ""
        what = f"holds no {names[0]} ({', '.join(KINDS[:3])}){also}"
        hint = f"give the folder of {suite}'s own files"
        raise UserError(Problem(f"--data {folder}", what, hint, "request"))
    found, problems = records(str(path))
    wrong = [problem for problem in problems if problem.kind != "note"]
    for where, record in found:
        if lacking := [name for name in columns if not isinstance(record.get(name), str)]:
            what, hint = f"has no text in {', '.join(lacking)}", f"give {suite}'s own file"
            wrong.append(Problem(where, what, hint))
            break  # a file of another layout lacks them everywhere
    require(*wrong)
    return [record for _, record in found]


def collected(
    folder: Path | None, suite: str, parts: Mapping[str, Records]
) -> dict[str, list[Example]]:
    """Return the examples of several groups, or raise all of their problems at once.

    Args:
        folder: see `records_of`.
        suite: its name, for messages.
        parts: by group.

    Raises:
        UserError: all problems of all groups.
    """
    groups, problems = {}, []
    for name, part in parts.items():
        try:
            found = records_of(folder, suite, part.files, part.columns)
            if rows := [row for record in found if (row := part.row(record)) is not None]:
                groups[name] = read_rows(rows, name)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return groups
