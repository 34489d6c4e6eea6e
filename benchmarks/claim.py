"""What a claim of a paper is made of, and when it holds: each is a file of `benchmarks/claims/`."""

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent / "claims"
VERDICTS = ("holds", "holds in part", "does not hold here", "not measured yet", "not tested here")
PAPERS = {  # in the order of the page
    "dto": "Direct Token Optimization, arXiv 2510.00125",
    "unilogit": "Unilogit, arXiv 2505.06027",
    "loku": "LoKU, arXiv 2408.06621",
    "undial": "UnDIAL, arXiv 2402.10052",
}
MARGIN = 0.02  # a smaller difference of two means is none


@dataclass(frozen=True)
class Run:
    """One setting that is measured on every world.

    Attributes:
        method: its name.
        rate: learning rate.
        epochs: passes over the forget set.
        alone: whether the forget file is all that training gets.
        options: further settings of the request, by their dotted names.
        forget: the file that is forgotten.
        start: "uniform" starts adapters from the largest part of each weight, whatever the forget
            set uses (FILA with all rows alike, which is PiSSA's start); else the request's own.
    """

    method: str
    rate: float
    epochs: int = 10
    alone: bool = False
    options: tuple[tuple[str, Any], ...] = ()
    forget: str = "forget"
    start: str = ""

    def __str__(self) -> str:
        """What the run is called in the list of runs."""
        parts = [self.method, f"{self.rate:g}", f"{self.epochs} epochs"]
        parts += ["forget data alone"] * self.alone
        parts += [f"{name}={value}" for name, value in sorted(self.options)]
        parts += [self.forget] * (self.forget != "forget") + [self.start] * bool(self.start)
        return ", ".join(parts)


class Part(NamedTuple):
    """A sentence that holds or does not, with the numbers that say so."""

    holds: bool
    says: str


Lines = list[dict[str, float]]


class Found:
    """What the runs of a claim gave, by their labels: a line of numbers for each world."""

    def __init__(self, lines: dict[str, Lines]):
        self.lines = lines

    def values(self, label: str, column: str) -> list[float]:
        """A number of each world; not a number where the run broke and has none."""
        return [line.get(column, math.nan) for line in self.lines[label]]

    def mean(self, label: str, column: str) -> float:
        return fmean(self.values(label, column))

    def show(self, label: str, column: str) -> str:
        return spread(self.values(label, column))

    def more(self, one: str, other: str, column: str, by: float = MARGIN) -> bool:
        """Whether one run has more than the other: in the mean, and on no world less."""
        pairs = zip(self.values(one, column), self.values(other, column), strict=True)
        differences = [a - b for a, b in pairs]
        return fmean(differences) >= by and min(differences) >= 0

    def alike(self, labels: Sequence[str], column: str, within: float) -> bool:
        """Whether the runs' means lie within so much of each other."""
        means = [self.mean(label, column) for label in labels]
        return max(means) - min(means) <= within


@dataclass(frozen=True)
class Claim:
    """One claim of a paper.

    Attributes:
        title: the claim in a few words.
        paper: the key of `PAPERS`.
        where: where the paper says so, and how we know.
        says: the claim in our words.
        protocol: what is measured here, on what.
        judge: from what was found to the parts of the claim.
        runs: by their labels on the page.
        columns: what the page shows of each run: heading -> column of the list of runs.
        remark: what a reader has to know beside the verdict; without numbers, which would go stale.
        untested: why nothing is measured; with a `command` it can be, and is not yet.
        command: what measures it, where that is not the page's own script.
    """

    title: str
    paper: str
    where: str
    says: str
    protocol: str
    judge: Callable[[Found], list[Part]]
    runs: dict[str, Run] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    remark: str = ""
    untested: str = ""
    command: str = ""


def spread(values: Sequence[float]) -> str:
    """The mean, and the lowest and the highest."""
    if any(map(math.isnan, values)):
        return "broke"
    if len(values) == 1:
        return number(values[0])
    return f"{number(fmean(values))} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """Two digits behind the point; more for small ones."""
    if value == 0 or abs(value) >= 0.01:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return f"{value:.0e}"


def verdict(parts: Sequence[Part]) -> str:
    """One word on all parts: a claim holds where each part does."""
    held = sum(part.holds for part in parts)
    return VERDICTS[0] if held == len(parts) else VERDICTS[1] if held else VERDICTS[2]


def claims() -> dict[str, Claim]:
    """Every claim of the folder by its name, in the order of the papers and the files' names."""
    found = {file.stem: load(file) for file in sorted(FOLDER.glob("*.py"))}
    order = list(PAPERS)
    return dict(sorted(found.items(), key=lambda item: order.index(item[1].paper)))


def load(file: Path) -> Claim:
    """The claim of a file; its name is the file's."""
    spec = importlib.util.spec_from_file_location(f"claim_{file.stem}", file)
    assert spec, file
    assert spec.loader, file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CLAIM


def options(**given: Any) -> tuple[tuple[str, Any], ...]:
    """Settings by dotted names, with a double underscore for the dot."""
    return tuple((name.replace("__", "."), value) for name, value in given.items())
