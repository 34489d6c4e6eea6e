"""Merge the reports of several runs: runs with the same settings become one mean with interval."""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import chain

from unteach.metrics import COMPARISONS, METRICS
from unteach.metrics.given import GivenAnswers
from unteach.metrics.harm import Harm
from unteach.metrics.intervals import margin
from unteach.report.attacked import Attacked
from unteach.report.fold_attacks import NOTE as ATTACKS
from unteach.report.fold_attacks import attack_tables
from unteach.report.judge import YARDSTICKS
from unteach.report.labels import name_of
from unteach.report.record import Report
from unteach.types import Score

FOLDED = "runs of "  # prefix of the facts of a merged report
NOTES = (
    "Numbers of several runs are means; their intervals are Student's t over runs.",
    "Single answers (still given, harmed) are those of the run that has most of them.",
)
ANY = (-math.inf, math.inf)


def fold(reports: Sequence[Report]) -> Report:
    """Merge reports into one: models with the same name become means over their runs.

    A model labelled "unlearned" is named after its report, such as by the method, followed by the
    settings that differ from the first run of that label, without seeds and paths. One labelled
    "model" is named by the last part of its path. If a name occurs in several reports, each score
    is the mean over them, with the interval of Student's t over runs; if it occurs in one, the
    score is unchanged.

    Args:
        reports: of runs that differ by seed, by method, or by both.

    Returns:
        A report with the original first and the retrained last; comparisons by the same names.
    """
    found: dict[str, list[tuple[Report, str]]] = {}
    first: dict[str, Report] = {}
    for report in reports:
        for model in report.models:
            like = first.setdefault(model if model in YARDSTICKS else f"of {report.label}", report)
            found.setdefault(name_of(report, model, like), []).append((report, model))
    order = sorted(found, key=lambda name: _rank(name.split("-")[0]))
    attacks = {name: _attacks(found[name]) for name in order}
    tables = attack_tables(attacks, mean_over_runs)
    every = [*reports, *chain.from_iterable(attacks.values())]
    papers = {paper.arxiv: paper for one in every for paper in one.papers}
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
        tables=tables,
        label=f"{len(reports)} runs",
        papers=tuple(papers.values()),
        facts={f"{FOLDED}{name}": len(found[name]) for name in order},
        notes=(*NOTES, ATTACKS) if tables else NOTES,
    )


def _attacks(found: list[tuple[Report, str]]) -> list[Attacked]:
    """The attacks of the runs that unlearned a model; the yardsticks of a run were not its aim."""
    return [report.attacks for report, model in found if model == "unlearned" and report.attacks]


def _most_given(found: list[tuple[Report, str]]) -> GivenAnswers | None:
    """The given answers of the run that gives most; single answers have no mean."""
    given = [report.given[model] for report, model in found if model in report.given]
    return max(given, key=lambda one: one.count, default=None)


def _most_harmed(found: list[tuple[Report, str]]) -> dict[str, Harm]:
    """The harmed answers of the run that harmed most, for each group."""
    harm = [report.harm.get(model, {}) for report, model in found]
    groups = dict.fromkeys(chain.from_iterable(harm))
    return {g: max((h[g] for h in harm if g in h), key=lambda one: one.count) for g in groups}


def _never_seen(reports: Sequence[Report]) -> Mapping[str, Score]:
    """Expected scores of unseen texts, if they are the same in all runs; else empty."""
    first, *others = (report.never_seen for report in reports)
    return first if all(other == first for other in others) else {}


def mean_over_runs(scores: Sequence[Score], within: tuple[float, float] = ANY) -> Score:
    """Mean of a score over runs, with its 95% interval; a single score is returned unchanged.

    Scores that are equal in all runs are unchanged too: they are of the same model, such as the
    original in runs with several seeds. Runs without a value are left out, and the note gives
    their number.

    Args:
        scores: of the runs.
        within: smallest and largest possible value; the interval is clipped to it.

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
    half = margin(values)
    # Runs may agree by chance, so the interval is at least as wide as the runs' own on average.
    low = min(mean - half, _mean_of([s.low for s in scores if s.low is not None], mean))
    high = max(mean + half, _mean_of([s.high for s in scores if s.high is not None], mean))
    return Score(mean, n, max(low, within[0]), min(high, within[1]), note)


def _mean_of(ends: list[float], instead: float) -> float:
    return statistics.fmean(ends) if ends else instead


def _rank(kind: str) -> int:
    """Sort key: original first, retrained last."""
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
