"""Mean and interval over the seeds of each method, as one table."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from unteach.benchmark.cells import DONE, Cell
from unteach.metrics.intervals import margin
from unteach.report import Report
from unteach.report.attacked import PLAIN
from unteach.report.table import COLUMNS, number

MODEL = "unlearned"
OTHERS = ("original", "retrained")


@dataclass(frozen=True)
class Mean:
    """Mean over seeds, with its interval.

    Attributes:
        value: the mean; None where no seed has the number.
        n: number of seeds.
        half: half the width of the 95% interval (Student's t); None with fewer than two seeds.
    """

    value: float | None
    n: int = 0
    half: float | None = None

    @property
    def text(self) -> str:
        """Return the mean as text, with its interval if there is one."""
        return self.shown(number)

    @property
    def count(self) -> str:
        """Return the mean of a count as text, with its interval if there is one."""
        return self.shown(lambda x: "-" if x is None else f"{x:.1f}".removesuffix(".0"))

    def shown(self, number: Callable[[float | None], str]) -> str:
        """Return the mean and half its interval, formatted by a function."""
        if self.half is None:
            return number(self.value)
        return f"{number(self.value)} ± {number(self.half)}"


@dataclass(frozen=True)
class TableLine:
    """One line of the table.

    Attributes:
        name: of the method, or "original" and "retrained".
        seeds: how many cells are done.
        means: by the name of the column.
        why: why cells are missing.
    """

    name: str
    seeds: int
    means: dict[str, Mean]
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """The result of `bench`.

    Attributes:
        lines: original and retrained, then the methods in their order.
        columns: names of the columns that have a number somewhere, in order.
        cells: all cells.
        about: the budget in words.
        folder: has the tables.
        facts: versions and counts.
        next: the command to give next.
    """

    lines: tuple[TableLine, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    about: str
    folder: Path
    facts: dict[str, Any]
    next: str = ""


def mean_of(values: Iterable[float | None]) -> Mean:
    """Return the mean of some numbers, with its 95% interval by Student's t.

    Example:
        >>> mean_of([0.4, 0.5, 0.6]).text, mean_of([0.5, None]).text, mean_of([]).text
        ('0.50 ± 0.25', '0.50', '-')
    """
    found = [x for x in values if x is not None and math.isfinite(x)]
    if not found:
        return Mean(None)
    if len(found) == 1:
        return Mean(found[0], 1)
    return Mean(fmean(found), len(found), margin(found))


def lines_of(cells: list[Cell], methods: Iterable[str]) -> tuple[TableLine, ...]:
    """Return the lines of the table; the models that no cell changes come first."""
    first = next((cell.report for cell in cells if cell.report), None)
    found = [TableLine(name, 0, _means([first], name)) for name in OTHERS
             if first and name in first.models]  # fmt: skip
    for method in methods:
        own = [cell for cell in cells if cell.method == method]
        done = [cell for cell in own if cell.state == DONE]
        reasons = dict.fromkeys(f"{cell.state}: {cell.why}" for cell in own if cell.why)
        means = _means([cell.report for cell in done], MODEL) | _costs(done)
        found.append(TableLine(method, len(done), means, "; ".join(reasons)))
    return tuple(found)


def columns_of(lines: Iterable[TableLine]) -> tuple[str, ...]:
    """Return the names of the columns in which some line has a number."""
    names = dict.fromkeys(name for line in lines for name in line.means)
    rows = list(lines)
    have = [n for n in names if any(_value(line, n) is not None for line in rows)]
    order = {name: k for k, name in enumerate([*READERS, *COSTS])}
    return tuple(sorted(have, key=lambda name: order.get(name, len(order))))


def _value(line: TableLine, name: str) -> float | None:
    return line.means[name].value if name in line.means else None


Reader = Callable[[Report, str], Any]
READERS: dict[str, Reader] = {column.name: column.read for column in COLUMNS}
SCREEN = {  # columns of the table in a terminal, under short headings
    "closeness to retrained": "closeness",
    "answers still given": "given",
    "forget probability": "forget p",
    "membership AUC": "AUC",
    "retain probability": "retain p",
    "utility": "utility",
    "training, s": "train s",
    "peak memory, GB": "GB",
}
COUNTS = ("answers still given", "steps")
COSTS: dict[str, Callable[[Cell], float | None]] = {
    "steps": lambda cell: _fact(cell, "steps"),
    "training, s": lambda cell: _fact(cell, "training_seconds"),
    "whole run, s": lambda cell: cell.seconds,
    "peak memory, GB": lambda cell: cell.peak / 1e9 if cell.peak else None,
}


def _means(reports: Iterable[Report | None], model: str) -> dict[str, Mean]:
    known = [report for report in reports if report]
    found = {
        name: mean_of(read(report, model).value for report in known)
        for name, read in READERS.items()
    }
    return found | (_recoveries(known) if model == MODEL else {})


def _recoveries(reports: list[Report]) -> dict[str, Mean]:
    """Return the recovery of each attack; empty without attacks."""
    names = dict.fromkeys(n for r in reports if r.attacks for n in r.attacks.of if n != PLAIN)
    return {
        f"{name} recovery": mean_of(
            r.attacks.of[name].recovery.value for r in reports if r.attacks and name in r.attacks.of
        )
        for name in names
    }


def _costs(cells: list[Cell]) -> dict[str, Mean]:
    return {name: mean_of(read(cell) for cell in cells) for name, read in COSTS.items()}


def _fact(cell: Cell, name: str) -> float | None:
    return cell.report.facts.get(name) if cell.report else None


def table(result: BenchResult, *, short: bool = False) -> list[list[str]]:
    """Return the table as cells, the header first, without methods that have no number.

    Args:
        result: the result of a benchmark.
        short: the columns that a terminal has room for, and what attacks bring back.
    """
    names = [n for n in result.columns if not short or n in SCREEN or n not in {*READERS, *COSTS}]
    head = ["model", "seeds", *(SCREEN.get(n, n) if short else n for n in names)]
    lines = [line for line in result.lines if line.seeds or line.name in OTHERS]
    rows = [[line.name, str(line.seeds or "-"), *_texts(line, names)] for line in lines]
    return [head, *([cell.replace(" ± ", "±") for cell in row] if short else row for row in rows)]


def _texts(line: TableLine, names: list[str]) -> list[str]:
    found = [line.means.get(name, Mean(None)) for name in names]
    return [m.count if n in COUNTS else m.text for n, m in zip(names, found, strict=True)]


def missing(result: BenchResult) -> list[str]:
    """One sentence for each method of which cells are missing, and for each unknown recovery."""
    found = [f"{line.name}: {line.why}" for line in result.lines if line.why]
    attacks = [cell.report.attacks for cell in result.cells if cell.report and cell.report.attacks]
    notes: dict[str, str] = {}
    for name, worst in (item for run in attacks for item in run.of.items()):
        if name != PLAIN and f"{name} recovery" not in result.columns:
            notes.setdefault(name, worst.recovery.note or "not measurable")
    return found + [f"{name} recovery: {note}" for name, note in notes.items()]
