"""List scores that are not measurable, grouped by reason."""

from collections.abc import Iterable, Mapping

from unteach.metrics import COMPARISONS, METRICS
from unteach.report.record import Report
from unteach.types import Score

PREFIX = "not measurable: "
ALONE = "no retrained model was given (`--retrained`), and these compare with one"
Found = dict[tuple[str, str, str], Score]  # metric, group, model


def not_measured(report: Report) -> list[str]:
    """One line for each reason, with its metrics; reasons with most metrics first.

    Models and groups are named if the metric was measurable for others.

    Example:
        >>> why = Score(None, note="not measurable: no file")
        >>> one, other = {"probability": Score(0.5)}, {"probability": why}
        >>> not_measured(Report(models={"a": {"forget": one}, "retrained": {"forget": other}}))
        ['no file: `probability` (of retrained)']
    """
    found = {
        (name, group, model): score
        for model, groups in report.models.items()
        for group, scores in groups.items()
        for name, score in scores.items()
        if name in METRICS
    } | {
        (name, "", beside.removesuffix("_vs_retrained")): score
        for beside, scores in report.comparisons.items()
        for name, score in scores.items()
    }
    reasons: dict[str, dict[str, list[str]]] = {}  # reason -> where -> names
    for name in dict.fromkeys(name for name, *_ in found):
        for note, where in _of_one(name, found).items():
            places = reasons.setdefault(note.removeprefix(PREFIX), {})
            places.setdefault(where, []).append(f"`{name}`")
    if found and "retrained" not in report.models:
        reasons[ALONE] = {"": [f"`{name}`" for name in _beside_retrained(found)]}
    longest = sorted(reasons.items(), key=lambda reason: -sum(map(len, reason[1].values())))
    listed = {n: [", ".join(of) + where for where, of in places.items()] for n, places in longest}
    return [f"{note}: {'; '.join(parts)}" for note, parts in listed.items()]


def _of_one(name: str, found: Found) -> dict[str, str]:
    """Reasons why a metric is not measurable, each with the groups and models it applies to."""
    scores = {key[1:]: score for key, score in found.items() if key[0] == name}
    places: dict[str, list[tuple[str, str]]] = {}
    for place, score in scores.items():
        if score.value is None:
            places.setdefault(score.note, []).append(place)
    return {note: _where(some, scores) for note, some in places.items()}


def _where(some: list[tuple[str, str]], scores: Mapping[tuple[str, str], Score]) -> str:
    if len(some) == len(scores):
        return ""
    parts = []
    for k, word in ((1, "of"), (0, "on")):
        here, all_ = ({place[k] for place in places} for places in (some, scores))
        if here != all_:
            parts.append(f"{word} {', '.join(_in_order(here, scores, k))}")
    return f" ({' '.join(parts)})" if parts else ""


def _in_order(names: set[str], places: Iterable[tuple[str, str]], k: int) -> list[str]:
    return list(dict.fromkeys(place[k] for place in places if place[k] in names))


def _beside_retrained(found: Found) -> list[str]:
    """Comparisons that need a retrained model, including requested variants of other projects."""
    compat = {METRICS.get(name).compat for name, *_ in found if name in METRICS}
    every = (COMPARISONS.get(name) for name in COMPARISONS)
    return [c.name for c in every if "retrained" in c.needs and c.compat in compat | {""}]
