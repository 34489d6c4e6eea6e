"""What a metric is: a sentence, and one pure function from rows to a score."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import iter_modules

from unteach.nouns import Paper, Row, Score
from unteach.registry import Registry

Groups = dict[str, list[Row]]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One question that rows answer.

    Attributes:
        name: in snake case, as in scores.json.
        help: what it says, for a layman.
        function: from the rows of one group, and of all groups, to a score.
        groups: which groups it is about; none for all.
        paper: where it comes from.
    """

    name: str
    help: str
    function: Callable[[list[Row], Groups], Score]
    groups: tuple[str, ...] = ()
    paper: Paper | None = None

    def __call__(self, rows: list[Row], groups: Groups) -> Score:
        """The score; a number that is none becomes "not measurable"."""
        if not rows:
            return missing("no examples in this group")
        score = self.function(rows, groups)
        if score.value is not None and not math.isfinite(score.value):
            return missing(f"the value is {score.value}")
        return score


METRICS: Registry[Metric] = Registry("metric", fill=lambda: _import_all())
Function = Callable[[list[Row], Groups], Score]


def metric(
    name: str, *, help: str, groups: tuple[str, ...] = (), paper: Paper | None = None
) -> Callable[[Function], Function]:
    """Register a function as a metric."""

    def register(function: Function) -> Function:
        made = Metric(name=name, help=help, function=function, groups=groups, paper=paper)
        METRICS.add(name, made)
        return function

    return register


def score_model(rows: Groups) -> dict[str, dict[str, Score]]:
    """Every metric on every group of one model's rows."""
    return {
        group: {
            name: METRICS.get(name)(found, rows)
            for name in METRICS
            if not METRICS.get(name).groups or group in METRICS.get(name).groups
        }
        for group, found in rows.items()
    }


def missing(why: str) -> Score:
    """A score that is not measurable, and why."""
    return Score(None, note=f"not measurable: {why}")


def mean_score(values: list[float], note: str = "") -> Score:
    """The mean with its 95% interval over examples (percentile bootstrap, seed 0).

    Example:
        >>> score = mean_score([0.0, 1.0, 1.0, 1.0])
        >>> score.value, score.n, score.low <= 0.75 <= score.high
        (0.75, 4, True)
    """
    import numpy

    found = numpy.sort(numpy.asarray(values, dtype=float))  # sorted: order must change nothing
    n, value = len(found), float(found.mean())
    if n < 2:
        return Score(value, n, note=note)
    if n > 2000:  # the bootstrap's limit, at no cost
        half = 1.96 * float(found.std(ddof=1)) / math.sqrt(n)
        low, high = value - half, value + half
    else:
        draws = numpy.random.default_rng(0).integers(0, n, (1000, n))
        low, high = (float(q) for q in numpy.quantile(found[draws].mean(1), [0.025, 0.975]))
    return Score(value, n, low, high, note)


def answers(rows: list[Row]) -> list[Row]:
    """The user's own answers; windows of a long text (`id`, `id/2`, ...) joined to one."""
    joined: dict[str, Row] = {}
    for row in (r for r in rows if r.kind == "answer"):
        key = row.id.partition("/")[0]
        first = joined.get(key)
        if first is None:
            joined[key] = replace(row, id=key)
            continue
        parts = {
            name: getattr(first, name) + getattr(row, name)
            for name in ("logps", "hits", "means", "spreads")
        }
        joined[key] = replace(first, **parts)
    return list(joined.values())


def probability(row: Row) -> float:
    """Exp of the mean log-probability per token: does not fall with the length of an answer."""
    return math.exp(sum(row.logps) / len(row.logps))


def _import_all() -> None:
    package = import_module("unteach.metrics")
    for module in iter_modules(package.__path__):
        import_module(f"unteach.metrics.{module.name}")
