"""What a metric is: a sentence, a direction, and one pure function from rows to a score."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from unteach.metrics.rows import Groups, MissingRows, ModelCase
from unteach.registry import Registry, import_all
from unteach.types import Paper, Score

Function = Callable[[str, ModelCase], Score]
Scores = dict[str, dict[str, Score]]  # group -> metric -> score

# What a value should be like after unlearning, in each group; "" stands for all other groups.
KNOWLEDGE = {
    "forget": "low",
    "verbmem": "low",
    "knowmem": "low",
    "holdout": "unchanged",
    "": "high",
}
SURPRISE = {
    "forget": "high",
    "verbmem": "high",
    "knowmem": "high",
    "holdout": "unchanged",
    "": "low",
}
LIKENESS = {"": "as retrained"}
SHARE = (0.0, 1.0)  # the usual range


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One question that the rows of one model answer.

    Attributes:
        name: in snake case, as in scores.json.
        help: what it says, for a layman.
        direction: what the value should be like, by group; "" for all other groups.
        function: from the name of a group, and the rows of a case, to a score.
        groups: which groups it is about; none for all.
        range: the least and the greatest value there can be.
        retrained: what a model scores that never saw the forget set, in words.
        gaming: how a useless model can score well on it, in words.
        compat: the project whose variant it is; computed only for who asks for it.
        paper: where it comes from.
    """

    name: str
    help: str
    direction: Mapping[str, str]
    function: Function
    groups: tuple[str, ...] = ()
    range: tuple[float, float] = SHARE
    retrained: str = ""
    gaming: str = ""
    compat: str = ""
    paper: Paper | None = None

    def __call__(self, group: str, case: ModelCase | Groups) -> Score:
        """The score of one group; what is missing, or no number, is "not measurable"."""
        whole = case if isinstance(case, ModelCase) else ModelCase(case)
        return measured(lambda: self.function(group, whole))

    def should_be(self, group: str) -> str:
        """What the value of a well unlearned model is like: "low", "as retrained", ..."""
        return self.direction.get(group, self.direction[""])


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One question about a model and those beside it: the retrained one, or the original.

    Attributes:
        name: in snake case, as in scores.json.
        help: what it says, for a layman.
        should_be: the value of a well unlearned model, in words.
        function: from the rows of all models to a score.
        needs: the models beside it that it cannot do without.
        range: the least and the greatest value there can be.
        retrained: what a second model scores that never saw the forget set, in words.
        gaming: how a useless model can score well on it, in words.
        compat: the project whose variant it is; computed only for who asks for it.
        paper: where it comes from.
    """

    name: str
    help: str
    should_be: str
    function: Callable[[ModelCase], Score]
    needs: tuple[str, ...] = ("retrained",)
    range: tuple[float, float] = SHARE
    retrained: str = ""
    gaming: str = ""
    compat: str = ""
    paper: Paper | None = None

    def __call__(self, case: ModelCase) -> Score:
        """The score; what is missing, or no number, is "not measurable"."""
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


def comparison(
    name: str, **facts
) -> Callable[[Callable[[ModelCase], Score]], Callable[[ModelCase], Score]]:
    """Register a function as a comparison; `facts` are the other fields of `Comparison`."""

    def register(function: Callable[[ModelCase], Score]) -> Callable[[ModelCase], Score]:
        COMPARISONS.add(name, Comparison(name=name, function=function, **facts))
        return function

    return register


def score_model(rows: Groups, *, original: Groups | None = None, compat: str = "") -> Scores:
    """Every metric on every group of one model's rows.

    Args:
        rows: of the model.
        original: those of the model before, for what is measured against it.
        compat: a project whose variants are computed too, under their names.
    """
    case = ModelCase(rows, original=original)
    asked = [METRICS.get(name) for name in METRICS]
    asked = [found for found in asked if found.compat in ("", compat)]
    return {
        group: {m.name: m(group, case) for m in asked if not m.groups or group in m.groups}
        for group in rows
    }


def compare(
    rows: Groups, retrained: Groups | None, *, original: Groups | None = None, compat: str = ""
) -> dict[str, Score]:
    """Every comparison of a model's rows with those of the models beside it.

    Args:
        rows: of the model.
        retrained: those of a model that never saw the forget set.
        original: those of the model before.
        compat: a project whose variants are computed too, under their names.
    """
    case = ModelCase(rows, original=original, retrained=retrained)
    asked = [COMPARISONS.get(name) for name in COMPARISONS]
    return {found.name: found(case) for found in asked if found.compat in ("", compat)}


def measured(function: Callable[[], Score]) -> Score:
    """Its score; "not measurable" and why when an input is missing or the value is no number.

    An interval with an end that is no number is left out.

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
    """Whether this package raised it: the words of a plug-in may hold texts of the data."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return name.partition(".")[0] == "unteach"
