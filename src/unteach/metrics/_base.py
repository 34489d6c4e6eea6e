"""Define metrics and comparisons, register them, and compute all of them from rows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from unteach.metrics.rows import FORGOTTEN, Groups, MissingRows, ModelCase
from unteach.registry import Registry, import_all
from unteach.types import Paper, Score

Function = Callable[[str, ModelCase], Score]
Compared = Callable[[ModelCase], Score]
Scores = dict[str, dict[str, Score]]  # group -> metric -> score

# How a value should be after unlearning, by group; "" stands for all other groups.
KNOWLEDGE = dict.fromkeys(FORGOTTEN, "low") | {"holdout": "unchanged", "": "high"}
SURPRISE = dict.fromkeys(FORGOTTEN, "high") | {"holdout": "unchanged", "": "low"}
LIKENESS = {"": "as retrained"}
SHARE = (0.0, 1.0)  # the usual range


@dataclass(frozen=True, kw_only=True)
class Described:
    """What metrics and comparisons say of themselves. Abstract.

    Attributes:
        name: in snake case, as in scores.json.
        help: what it says, in simple words.
        range: smallest and largest possible value.
        retrained: what a model scores that never saw the forget set, in words.
        gaming: how a useless model can score well on it, in words.
        compat: the project whose variant it is; computed only if requested.
        paper: its source.
    """

    name: str
    help: str
    range: tuple[float, float] = SHARE
    retrained: str = ""
    gaming: str = ""
    compat: str = ""
    paper: Paper | None = None


@dataclass(frozen=True, kw_only=True)
class Metric(Described):
    """A metric of one model, computed from its rows.

    Attributes:
        direction: how the value should be, by group; "" for all other groups.
        function: from the name of a group and a `ModelCase` to a score.
        groups: the groups it is computed for; empty for all.
    """

    direction: Mapping[str, str]
    function: Function
    groups: tuple[str, ...] = ()

    def __call__(self, group: str, case: ModelCase | Groups) -> Score:
        """The score of one group; "not measurable" if rows are missing or the value is nan."""
        full = case if isinstance(case, ModelCase) else ModelCase(case)
        return measured(lambda: self.function(group, full))

    def should_be(self, group: str) -> str:
        """How the value of a well unlearned model should be: "low", "as retrained", ..."""
        return self.direction.get(group, self.direction[""])


@dataclass(frozen=True, kw_only=True)
class Comparison(Described):
    """A metric that compares a model with the retrained or the original model.

    Attributes:
        should_be: the value of a well unlearned model, in words.
        function: from a `ModelCase` to a score.
        needs: the other models that it requires.
    """

    should_be: str
    function: Compared
    needs: tuple[str, ...] = ("retrained",)

    def __call__(self, case: ModelCase) -> Score:
        """The score; "not measurable" if rows are missing or the value is nan."""
        return measured(lambda: self.function(case))


METRICS: Registry[Metric] = Registry("metric", fill=lambda: import_all("unteach.metrics"))
COMPARISONS: Registry[Comparison] = Registry(
    "comparison", fill=lambda: import_all("unteach.metrics")
)


def metric(name: str, **facts) -> Callable[[Function], Function]:
    """Register a function as a metric; `facts` are the other fields of `Metric`."""

    def register(function: Function) -> Function:
        METRICS.add(name, Metric(name=name, function=function, **facts))
        return function

    return register


def comparison(name: str, **facts) -> Callable[[Compared], Compared]:
    """Register a function as a comparison; `facts` are the other fields of `Comparison`."""

    def register(function: Compared) -> Compared:
        COMPARISONS.add(name, Comparison(name=name, function=function, **facts))
        return function

    return register


def score_model(rows: Groups, *, original: Groups | None = None, compat: str = "") -> Scores:
    """Compute every metric on every group of one model's rows.

    Args:
        rows: of the model.
        original: rows of the original model, for metrics that need it.
        compat: a project whose variants are computed too, under their names.
    """
    case = ModelCase(rows, original=original)
    every = [METRICS.get(name) for name in METRICS]
    wanted = [one for one in every if one.compat in ("", compat)]
    return {
        group: {m.name: m(group, case) for m in wanted if not m.groups or group in m.groups}
        for group in rows
    }


def compare(
    rows: Groups, retrained: Groups | None, *, original: Groups | None = None, compat: str = ""
) -> dict[str, Score]:
    """Compute every comparison of a model's rows with those of the retrained and the original.

    Args:
        rows: of the model.
        retrained: rows of a model that never saw the forget set.
        original: rows of the original model.
        compat: a project whose variants are computed too, under their names.
    """
    case = ModelCase(rows, original=original, retrained=retrained)
    every = [COMPARISONS.get(name) for name in COMPARISONS]
    return {one.name: one(case) for one in every if one.compat in ("", compat)}


def measured(function: Callable[[], Score]) -> Score:
    """Call the function; "not measurable", and why, if rows are missing or the value is nan.

    An interval with an infinite or nan end is removed.

    Example:
        >>> measured(lambda: Score(float("nan"))).note
        'not measurable: the value is nan'
    """
    try:
        score = function()
    except MissingRows as why:
        words = why if _ours(why) else "a plug-in lacks an input (its words are not shown)"
        return Score(None, note=f"not measurable: {words}")
    if score.value is not None and not math.isfinite(score.value):
        return Score(None, note=f"not measurable: the value is {score.value}")
    if not all(end is None or math.isfinite(end) for end in (score.low, score.high)):
        return replace(score, low=None, high=None)
    return score


def _ours(error: BaseException) -> bool:
    """Whether unteach raised the error: messages of a plug-in may contain texts of the data."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return name.partition(".")[0] == "unteach"
