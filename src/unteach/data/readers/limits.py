"""Limit what a data file may unpack to, in proportion to its size."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError

FEW = 1_000_000
"""Number of rows, lists or cells that any file may have; more must be backed by its size."""

LONGEST = 2**24
"""Maximum number of characters of one text: the tokens of a longer one would take gigabytes."""

SEPARATORS = {".csv": ",", ".tsv": "\t"}
LINE, OPENING, CELL = 16, 8, 4  # minimum characters per item on average, where there are many


def require_proportion(text: str, kind: str, name: str) -> None:
    """Check that a text is not mostly line ends, brackets or commas, which take far more memory.

    Args:
        text: of a file.
        kind: its file extension (".jsonl").
        name: of the file, for messages.

    Raises:
        UserError: it has too many of them.

    Example:
        >>> require_proportion("[" + "[]," * 2_000_000, ".json", "a.json")
        Traceback (most recent call last):
        unteach.errors.UserError: a.json: holds 2,000,001 lists and objects, too many for its size
            hint: it may be broken; take out what is no example
    """
    counts = {
        "lines": (text.count("\n") if kind != ".json" else 0, LINE),
        "lists and objects": (text.count("[") + text.count("{") if "js" in kind else 0, OPENING),
        "cells": (text.count(SEPARATORS[kind]) if kind in SEPARATORS else 0, CELL),
    }
    for what, (count, each) in counts.items():
        if count > FEW + len(text) // each:
            hint = "it may be broken; take out what is no example"
            message = f"holds {count:,} {what}, too many for its size"
            raise UserError(Problem(name, message, hint))


def too_long(text: str, where: str) -> Problem | None:
    """Make the problem of a text that is longer than one example may be; None if it is not."""
    if len(text) <= LONGEST:
        return None
    what = f"holds a text of {len(text):,} characters; at most {LONGEST:,} are read as one"
    return Problem(where, what, "cut it into several examples")


def too_much(name: str) -> Problem:
    """Make the problem of a table whose cells take far more memory than its file."""
    hint = "it may be broken; if it is as it should be, write it as .jsonl"
    return Problem(name, "unpacks to far more than its size", hint)


@contextmanager
def arrow_errors(path: Path, name: str, kind: str) -> Iterator[int]:
    """Yield the size of a table, which Arrow reads within the context, in bytes.

    Raises:
        UserError: it is no file, or Arrow cannot read it. Arrow's own messages quote cells, which
            may be forget data.
    """
    if not path.is_file():
        raise UserError(Problem(name, "is a pipe or a device, no file", "copy it into a file"))
    try:
        yield path.stat().st_size
    except UserError:
        raise
    except Exception as error:
        what = f"is not {kind}, or not readable ({type(error).__name__})"
        raise UserError(Problem(name, what, "write it anew")) from None


def require_unique(names: list[str], name: str) -> None:
    """Raise UserError if a table has two columns of one name."""
    if len(set(names)) < len(names):
        hint = "give each column a name of its own"
        raise UserError(Problem(name, "names one column twice", hint))


def numbered(rows: Iterable[Any], name: str) -> list[tuple[str, Any]]:
    """Return the rows of a table, each with its number as the place for messages."""
    return [(f"{name}, row {k}", row) for k, row in enumerate(rows, 1)]
