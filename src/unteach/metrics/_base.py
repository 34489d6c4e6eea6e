"""What a metric is: a sentence, a direction, and one pure function from rows to a score."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from unteach.metrics.rows import Groups, Missing
from unteach.nouns import Paper, Score
from unteach.registry import Registry

Function = Callable[[str, Groups], Score]

# What a value should be like after unlearning, in each group; "" stands for all other groups.
KNOWLEDGE = {"forget": "low", "holdout": "unchanged", "": "high"}
SURPRISE = {"forget": "high", "holdout": "unchanged", "": "low"}
LIKENESS = {"": "as retrained"}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One question that rows answer.

    Attributes:
        name: in snake case, as in scores.json.
        help: what it says, for a layman.
        direction: what the value should be like, by group; "" for all other groups.
        function: from the name of a group, and the rows of all groups, to a score.
        groups: which groups it is about; none for all.
        paper: where it comes from.
    """

    name: str
    help: str
    direction: Mapping[str, str]
    function: Function
    groups: tuple[str, ...] = ()
    paper: Paper | None = None

    def __call__(self, group: str, groups: Groups) -> Score:
        """The score of one group; what is missing, or no number, is "not measurable"."""
        return measured(lambda: self.function(group, groups))

    def should_be(self, group: str) -> str:
        """What the value of a well unlearned model is like: "low", "as retrained", ..."""
        return self.direction.get(group, self.direction[""])


METRICS: Registry[Metric] = Registry("metric", fill=lambda: _import_all())


def metric(
    name: str,
    *,
    help: str,
    direction: Mapping[str, str],
    groups: tuple[str, ...] = (),
    paper: Paper | None = None,
) -> Callable[[Function], Function]:
    """Register a function as a metric."""

    def register(function: Function) -> Function:
        made = Metric(
            name=name,
            help=help,
            direction=direction,
            function=function,
            groups=groups,
            paper=paper,
        )
        METRICS.add(name, made)
        return function

    return register


def score_model(rows: Groups) -> dict[str, dict[str, Score]]:
    """Every metric on every group of one model's rows."""
    return {
        group: {
            name: METRICS.get(name)(group, rows)
            for name in METRICS
            if not METRICS.get(name).groups or group in METRICS.get(name).groups
        }
        for group in rows
    }


def measured(function: Callable[[], Score]) -> Score:
    """Its score; "not measurable" and why when an input is missing or the value is no number.

    Example:
        >>> measured(lambda: Score(float("nan"))).note
        'not measurable: the value is nan'
    """
    try:
        score = function()
    except Missing as why:
        return Score(None, note=f"not measurable: {why}")
    if score.value is not None and not math.isfinite(score.value):
        return Score(None, note=f"not measurable: the value is {score.value}")
    return score


def _import_all() -> None:
    package = import_module("unteach.metrics")
    for module in iter_modules(package.__path__):
        import_module(f"unteach.metrics.{module.name}")
