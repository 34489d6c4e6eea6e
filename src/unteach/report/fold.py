"""Several runs as one report: one method with one set of settings is one line, with its spread."""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import PurePath

from unteach.metrics import COMPARISONS, METRICS
from unteach.nouns import Score
from unteach.report.record import Report

SECTIONS = ("method", "adapter", "train", "data", "evaluate")
ALIKE = ("seed", "also", "refusals", "checkpoint_minutes", "checkpoint_steps")
FOLDED = "runs of "  # begins the facts of a report that is a mean
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
    first: dict[str, dict[str, str]] = {}
    for report in reports:
        first.setdefault(report.label, settings(report))
        for model in report.models:
            found.setdefault(_name(report, model, first[report.label]), []).append((report, model))
    order = sorted(found, key=lambda name: (name == "retrained", name != "original"))
    papers = {paper.arxiv: paper for report in reports for paper in report.papers}
    return Report(
        models={name: _models(found[name]) for name in order},
        comparisons={
            f"{name}_vs_retrained": scores
            for name in order
            if (scores := _comparisons(found[name]))
        },
        never_seen=_never_seen(reports) if "retrained" not in found else {},
        label=f"{len(reports)} runs",
        papers=tuple(papers.values()),
        facts={f"{FOLDED}{name}": len(found[name]) for name in order},
        notes=("Numbers of several runs are means; their intervals are Student's t over runs.",),
    )


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


def settings(report: Report) -> dict[str, str]:
    """What was set in a run, by its name; without its seed, paths and what changes no number.

    Example:
        >>> request = {"out": "b", "train": {"seed": 1, "epochs": 3.0}, "adapter": {"kind": "lora"}}
        >>> settings(Report(models={}, request=request))
        {'train.epochs': '3', 'adapter.kind': 'lora'}
    """
    return {
        f"{section}.{name}": f"{value:g}" if isinstance(value, float) else str(value)
        for section, given in report.request.items()
        if section in SECTIONS and isinstance(given, Mapping)
        for name, value in given.items()
        if name not in ALIKE
    }


def _name(report: Report, model: str, first: Mapping[str, str]) -> str:
    """Of a run the method's, of an evaluation the model's own or that of its folder."""
    if model == "unlearned" and report.label:
        given = settings(report).items()
        return " ".join([report.label, *(f"{k}={v}" for k, v in given if first.get(k) != v)])
    paths = report.request.get("models")
    path = paths.get(model, "") if model == "model" and isinstance(paths, dict) else ""
    return PurePath(path).name or model


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
