"""How much a file of data may hold in proportion to its size, so that a small one stays small."""

from unteach.errors import Problem, UserError

FEW = 1_000_000
"""Rows, lists, cells that any file may have; what is above them takes bytes of its own."""

LONGEST = 2**24
"""Characters of one text: above them its tokens alone would take gigabytes."""

SEPARATORS = {".csv": ",", ".tsv": "\t"}
LINE, OPENING, CELL = 16, 8, 4  # characters that each takes on average, where there are many


def require_proportion(text: str, kind: str, name: str) -> None:
    """That a text is not made of line ends, brackets or commas, which are far larger in memory.

    Args:
        text: of a file.
        kind: how its name ends (".jsonl").
        name: what messages call it.

    Raises:
        UserError: it holds too many.

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
            said = f"holds {count:,} {what}, too many for its size"
            raise UserError(Problem(name, said, hint))


def too_long(text: str, where: str) -> Problem | None:
    """That a text is longer than one example may be."""
    if len(text) <= LONGEST:
        return None
    what = f"holds a text of {len(text):,} characters; at most {LONGEST:,} are read as one"
    return Problem(where, what, "cut it into several examples")


def too_much(name: str) -> Problem:
    """What is said of a table whose cells take far more memory than its file."""
    hint = "it may be broken; if it is as it should be, write it as .jsonl"
    return Problem(name, "unpacks to far more than its size", hint)
