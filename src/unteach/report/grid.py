"""Markdown tables of scores: models as columns, metrics as rows."""

from collections.abc import Mapping
from typing import NamedTuple

from unteach.metrics.difference import alike
from unteach.report.table import ALIKE, number
from unteach.report.table import interval as interval_of
from unteach.types import Score

FEW = 4  # maximum number of models with room for intervals and explanations


class GridLine(NamedTuple):
    """One row of a table: name of the metric, what its value should be, and what it says."""

    name: str
    should_be: str
    help: str


def scores_grid(
    lines: list[GridLine], columns: Mapping[str, Mapping[str, Score]], first: str
) -> str:
    """A table of all measurable scores; empty if there are none.

    Scores that do not differ significantly from the column "retrained" are marked.

    Args:
        lines: the metrics.
        columns: title -> name of a metric -> score.
        first: heading of the first column.
    """
    few = len(columns) <= FEW + 1  # the models, and the expected scores of unseen texts
    header = [first, "should be", *columns, *(["what it says"] if few else [])]
    body = [
        [f"`{line.name}`", line.should_be]
        + [
            _mark(line.name, title, columns) + cell(scores.get(line.name), interval=few)
            for title, scores in columns.items()
        ]
        + ([line.help] if few else [])
        for line in lines
        if any(_value(scores, line.name) is not None for scores in columns.values())
    ]
    return grid([header, *body], left=(0, 1, len(header) - 1) if few else (0, 1)) if body else ""


def grid(rows: list[list[str]], left: tuple[int, ...] = (0,)) -> str:
    """A Markdown table; the first row is the header, the columns in `left` are left-aligned.

    Example:
        >>> print(grid([["a", "b"], ["x", "1"]]))
        | a | b |
        | --- | ---: |
        | x | 1 |
    """
    rule = ["---" if k in left else "---:" for k in range(len(rows[0]))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (rows[0], rule, *rows[1:]))


def cell(score: Score | None, *, interval: bool = True) -> str:
    """A score as text, with its interval if there is one."""
    if score is None or score.value is None:
        return "-"
    if not interval or score.low is None:
        return number(score.value)
    lower = f" (at least {number(score.low)})"
    return number(score.value) + (lower if score.high is None else interval_of(score))


def _mark(name: str, title: str, columns: Mapping[str, Mapping[str, Score]]) -> str:
    retrained = columns.get("retrained", {}).get(name)
    return ALIKE if title != "retrained" and alike(columns[title].get(name), retrained) else ""


def _value(scores: Mapping[str, Score], name: str) -> float | None:
    return scores[name].value if name in scores else None
