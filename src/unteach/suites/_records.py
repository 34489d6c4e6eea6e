"""Read a benchmark's records by their own columns from the files of a folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unteach.data import read_rows
from unteach.data.readers.sources import records
from unteach.errors import Problem, UserError
from unteach.suites._sources import KINDS, find
from unteach.types import Example

Record = Mapping[str, Any]


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
    if wrong:
        raise UserError(*wrong)
    return [record for _, record in found]


def collected(parts: Mapping[str, Callable[[], list[Record]]]) -> dict[str, list[Example]]:
    """Return the examples of several groups, or raise all of their problems at once.

    Args:
        parts: by group, a function to the group's rows with the columns that unteach reads.

    Raises:
        UserError: all problems of all groups.
    """
    groups, problems = {}, []
    for name, read in parts.items():
        try:
            if rows := read():
                groups[name] = read_rows(rows, name)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return groups
