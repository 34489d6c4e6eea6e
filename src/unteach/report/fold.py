"""Several runs as one report: one method with one set of settings is one line, with its spread."""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import chain

from unteach.metrics import COMPARISONS, METRICS
from unteach.metrics.given import GivenAnswers
from unteach.metrics.harm import Harm
from unteach.report.judge import YARDSTICKS
from unteach.report.labels import name_of
from unteach.report.record import Report
from unteach.types import Score

FOLDED = "runs of "  # begins the facts of a report that is a mean
NOTES = (
    "Numbers of several runs are means; their intervals are Student's t over runs.",
    "Single answers (still given, harmed) are those of the run that has most of them.",
)
ANY = (-math.inf, math.inf)


def fold(reports: Sequence[Report]) -> Report:
    """One report of all: models of one name are folded to means over their runs.

    A model called "unlearned" goes by the label of its report, such as the method's, and what was
    set otherwise than in the first run of that label stands behind it, seeds and paths apart; one
    called "model" by the last part of its path. Where a name stands in several reports, each
    number is the mean over them, and its interval that of the mean by Student's t over the runs;
    where it stands in one, the number and its interval stay.

    Args:
        reports: of runs that differ by seed, by method, or by both.

    Returns:
        Original first, retrained last; comparisons by the same names.
    """
    found: dict[str, list[tuple[Report, str]]] = {}
    first: dict[str, Report] = {}
    for report in reports:
        for model in report.models:
            like = first.setdefault(model if model in YARDSTICKS else f"of {report.label}", report)
            found.setdefault(name_of(report, model, like), []).append((report, model))
    order = sorted(found, key=lambda name: _place(name.split("-")[0]))
    papers = {paper.arxiv: paper for report in reports for paper in report.papers}
    return Report(
        models={name: _models(found[name]) for name in order},
        comparisons={
            f"{name}_vs_retrained": scores
            for name in order
            if (scores := _comparisons(found[name]))
        },
        never_seen=_never_seen(reports) if "retrained" not in found else {},
        given={name: given for name in order if (given := _most_given(found[name]))},
        harm={name: harm for name in order if (harm := _most_harmed(found[name]))},
        label=f"{len(reports)} runs",
        papers=tuple(papers.values()),
        facts={f"{FOLDED}{name}": len(found[name]) for name in order},
        notes=NOTES,
    )


def _most_given(found: list[tuple[Report, str]]) -> GivenAnswers | None:
    """Single answers have no mean: those of the run that gives most."""
    given = [report.given[model] for report, model in found if model in report.given]
    return max(given, key=lambda one: one.count, default=None)


def _most_harmed(found: list[tuple[Report, str]]) -> dict[str, Harm]:
    """In each group those of the run that harmed most."""
    harm = [report.harm.get(model, {}) for report, model in found]
    groups = dict.fromkeys(chain.from_iterable(harm))
    return {g: max((h[g] for h in harm if g in h), key=lambda one: one.count) for g in groups}


def _never_seen(reports: Sequence[Report]) -> Mapping[str, Score]:
    """What the holdout tells, where all runs had one original and one holdout."""
    first, *others = (report.never_seen for report in reports)
    return first if all(other == first for other in others) else {}


def mean_over_runs(scores: Sequence[Score], within: tuple[float, float] = ANY) -> Score:
    """The mean of a number over runs, with its 95% interval; a single one stays as it is.

    So does one that is the same in every run: it is the same model asked again, such as the
    original of several seeds. Runs that could not measure it are left out, and the note says how
    many there were.

    Args:
        scores: of the runs.
        within: the least and the greatest value there can be; the interval ends there.

    Example:
        >>> found = mean_over_runs([Score(0.4), Score(0.5), Score(0.6)])
        >>> found.n, round(found.value, 3), round(found.low, 3), round(found.high, 3)
        (3, 0.5, 0.252, 0.748)
    """
    values = [score.value for score in scores if score.value is not None]
    if not values:
        return scores[0]
    if all(score == scores[0] for score in scores):
        return scores[0]
    left = len(scores) - len(values)
    note = f"not measurable in {left} of {len(scores)} runs" if left else ""
    mean, n = statistics.fmean(values), len(values)
    if n == 1:
        return Score(mean, n, note=note)
    from scipy.stats import t

    half = float(t.ppf(0.975, n - 1)) * statistics.stdev(values) / math.sqrt(n)
    # Runs that happen to agree say nothing of other examples: no run's own interval is narrower.
    low = min(mean - half, _mean_of([s.low for s in scores if s.low is not None], mean))
    high = max(mean + half, _mean_of([s.high for s in scores if s.high is not None], mean))
    return Score(mean, n, max(low, within[0]), min(high, within[1]), note)


def _mean_of(ends: list[float], instead: float) -> float:
    return statistics.fmean(ends) if ends else instead


def _place(kind: str) -> int:
    """Original first, retrained last."""
    return {"original": 0, "retrained": 2}.get(kind, 1)


def _models(found: list[tuple[Report, str]]) -> dict[str, dict[str, Score]]:
    scores = [report.models[model] for report, model in found]
    groups = dict.fromkeys(chain.from_iterable(scores))
    return {group: _mean([s[group] for s in scores if group in s]) for group in groups}


def _comparisons(found: list[tuple[Report, str]]) -> dict[str, Score]:
    names = [f"{model}_vs_retrained" for _, model in found]
    both = zip(found, names, strict=True)
    return _mean([r.comparisons[name] for (r, _), name in both if name in r.comparisons])


def _mean(scores: Sequence[Mapping[str, Score]]) -> dict[str, Score]:
    names = dict.fromkeys(chain.from_iterable(scores))
    return {
        name: mean_over_runs([s[name] for s in scores if name in s], _range(name)) for name in names
    }


def _range(name: str) -> tuple[float, float]:
    known = next((found for found in (METRICS, COMPARISONS) if name in found), None)
    return ANY if known is None else known.get(name).range
