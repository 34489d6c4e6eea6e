"""`unteach verify`: check a result's file hashes, and that its scores follow from its rows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.evaluation.rescore import read_report, rows_in
from unteach.evaluation.results import ROWS, declared, judge
from unteach.files import CARD, PRIVATE, RUN, listed_files, what_changed
from unteach.report import to_json

MADE = ("models", "comparisons", "never_seen", "given", "harm", "earlier", "gates")
"""Fields made by `judge`."""


@dataclass(frozen=True)
class VerifyResult:
    """Counts of the files and scores that were verified.

    Attributes:
        files: number of files whose hashes agree.
        scores: number of values in `scores.json` that follow from the rows.
        surplus: files in the folder that the run did not write.
    """

    files: int
    scores: int
    surplus: tuple[str, ...]


def verify(folder: Path) -> VerifyResult:
    """Check the result of `unteach run` or of `unteach evaluate`; needs no model and no torch.

    Where the folder lists its files (results of a run do), each file is compared with the hash from
    when it was written. Each score is computed again from the rows.

    Raises:
        UserError: all files and scores that differ.
    """
    if not folder.is_dir():
        raise UserError(Problem(str(folder), "is no folder", "give what a run wrote", "request"))
    listed = listed_files(folder)
    problems = [
        Problem(str(folder), what, "take it from a copy, or give the request again to make it anew")
        for what in what_changed(folder, listed)
    ]
    scores = 0
    if (folder / ROWS).exists() and not problems:
        scores, wrong = _scores(folder)
        problems += wrong
    elif not listed and not problems:
        hint = "give a folder that `unteach run` or `unteach evaluate` wrote"
        raise UserError(Problem(str(folder), "lists no files and holds no rows", hint, "request"))
    if problems:
        raise UserError(*problems)
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return VerifyResult(len(listed), scores, tuple(sorted(present - {*listed, *_own(folder)})))


def _own(folder: Path) -> set[str]:
    """Files of unteach that no list has: the list itself, and those that a user may change.

    A folder without a list is an evaluation; all its files count as its own.
    """
    if listed_files(folder):
        return {RUN, PRIVATE, CARD}
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def _scores(folder: Path) -> tuple[int, list[Problem]]:
    """The number of values compared, and a problem for each that does not follow from the rows."""
    rows, _ = rows_in(folder)
    written = read_report(folder)
    order = [*written.models]
    rows = dict(sorted(rows.items(), key=lambda r: order.index(r[0]) if r[0] in order else -1))
    compat = "open-unlearning" if _compat(written) else ""
    again = judge(rows, compat=compat, gates=declared(written), earlier=written.earlier)
    anew = json.loads(to_json(replace(written, **again)))
    stored = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    stored = {"gates": [], "earlier": [], **stored}  # of a result from before there were any
    pairs = [
        (name, a, b)
        for part in MADE
        for name, a, b in _numbers(part, stored.get(part), anew.get(part))
    ]
    hint = "the rows or scores.json were changed: `unteach score` makes scores anew from rows"
    wrong = [
        Problem(str(folder / "scores.json"), f"{name} is {a}, and the rows give {b}", hint)
        for name, a, b in pairs
        if a != b
    ]
    return len(pairs), wrong


def _compat(report: Any) -> bool:
    names = {m for groups in report.models.values() for scores in groups.values() for m in scores}
    return any(name.startswith("open_unlearning") for name in names)


def _numbers(name: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    """Pairs of the leaf values of two nested records, each with its path."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from _numbers(f"{name}.{key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list):
        for number, (a, b) in enumerate(zip_longest(one, other)):
            yield from _numbers(f"{name}[{number}]", a, b)
    else:
        yield name, one, other
