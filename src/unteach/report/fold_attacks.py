"""Merge the attacks of several runs into one table, for `unteach compare`."""

from collections.abc import Callable, Mapping, Sequence

from unteach.report.attacked import UNKNOWN, Attacked
from unteach.report.table import interval, number
from unteach.types import Score

TITLE = "Recovery under attack"
CLOSE = "closeness under attack"
NOTE = (
    "Recovery under attack: 0% is what an attack gets from a model that never saw the answers, "
    "100% what it gets from the original. Each run counts with the variant of the attack whose "
    "interval has the highest lower end."
)
Mean = Callable[[Sequence[Score]], Score]


def attack_tables(
    found: Mapping[str, Sequence[Attacked]], mean: Mean
) -> dict[str, list[list[str]]]:
    """Return a table with one line for each model that was attacked; none without attacks.

    Args:
        found: model -> the attacks of its runs.
        mean: function from the scores of several runs to one.
    """
    found = {model: runs for model, runs in found.items() if runs}
    names = dict.fromkeys(name for runs in found.values() for run in runs for name in run.of)
    rows = [["", *names, CLOSE]]
    for model, runs in found.items():
        of = {name: [run.of[name].recovery for run in runs if name in run.of] for name in names}
        recoveries = [_text(mean(scores or [UNKNOWN]), _percent) for scores in of.values()]
        rows.append([model, *recoveries, _text(mean([run.closeness for run in runs]), number)])
    if not any(cell != "-" for row in rows[1:] for cell in row[1:]):
        return {}
    known = [column for column in zip(*rows, strict=True) if {*column[1:]} != {"-"}]
    return {TITLE: [list(row) for row in zip(*known, strict=True)]}


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _text(score: Score, shown: Callable[[float | None], str]) -> str:
    """Return a score with its interval, of which one end may not be known."""
    return shown(score.value) + interval(score, shown, "...")
