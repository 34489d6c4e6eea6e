"""MUSE's PrivLeak: the membership AUC relative to that of the retrained model."""

import math

from unteach.metrics._base import comparison
from unteach.metrics.papers import MUSE
from unteach.metrics.roc import auc
from unteach.metrics.rows import Groups, MissingRows, ModelCase, answers, read
from unteach.types import Row, Score

Told = tuple[dict[str, float], dict[str, float]]  # forget, holdout: id -> score

DRAWS = 1000
BLOCK = 1000  # members at a time
RARE = 1.5  # texts on the wrong side; with fewer, bootstrap samples hardly change their number


@comparison(
    "privleak",
    help="membership by the least likely tokens against the retrained model, in percent: below 0 "
    "under-forgotten, above 0 over-forgotten",
    should_be="near 0",
    range=(-100.0, float("inf")),
    retrained="near 0",
    gaming="a model that is broken everywhere is near 0 where holdout is like the forget set",
    paper=MUSE,
)
def privleak(case: ModelCase) -> Score:
    """(AUC - AUC retrained) / AUC retrained, in percent, as MUSE's PrivLeak.

    The attack score is the mean log-probability of the least likely 40% of the tokens. MUSE's AUC
    is high if holdout texts look more like members than forget texts do, `membership_auc_min_k` if
    forget texts do, so each is 1 minus ours.

    The interval is a percentile bootstrap (seed 0) with the same texts for both models. If the
    model's AUC is so near 0 or 1 that bootstrap samples hardly change it, the interval also covers
    the values at the ends of the AUC's own interval.

    Example:
        >>> def rows(*least):
        ...     return [Row(id=str(k), tokens=4, logp=x, min_40=x) for k, x in enumerate(least)]
        >>> known = {"forget": rows(-1.0, -1.0), "holdout": rows(-4.0, -0.5)}  # MUSE's AUC: 0.5
        >>> never = {"forget": rows(-3.0, -5.0), "holdout": rows(-4.0, -0.5)}  # 0.75
        >>> round(privleak(ModelCase(known, retrained=never)).value, 2)  # (0.5 - 0.75) / 0.75
        -33.33
    """
    return leak(case, "min_40")


def leak(case: ModelCase, name: str) -> Score:
    """PrivLeak by a field of a row that is high for members."""
    ours, theirs = _scores(case.model, name), _scores(case.beside("retrained"), name)
    mine, other = (auc(list(m.values()), list(o.values())) for m, o in (ours, theirs))
    if other.value == 1:
        raise MissingRows("the retrained model recognises every forget answer")
    value = relative(mine.value or 0.0, other.value or 0.0)
    if any(a.keys() != b.keys() for a, b in zip(ours, theirs, strict=True)):
        return Score(value, mine.n, note="no interval: the two models were not asked the same")
    low, high = _bootstrap(ours, theirs) if math.isfinite(value) else (0.0, 0.0)
    ends = [low, high, value] if low < high else [value]
    rare = min(mine.value or 0.0, 1 - (mine.value or 0.0)) * min(map(len, ours)) < RARE
    if rare and ours != theirs and mine.low is not None and mine.high is not None:
        ends += [relative(end, other.value or 0.0) for end in (mine.low, mine.high)]
    if not min(ends) < max(ends):
        return Score(value, mine.n)
    return Score(value, mine.n, min(ends), max(ends))


def relative(ours: float, theirs: float) -> float:
    """MUSE's percentage from two AUCs that are high for members.

    Example:
        >>> relative(1.0, 0.5), relative(0.5, 0.5), relative(0.0, 0.5)
        (-100.0, 0.0, 100.0)
    """
    return 100 * (theirs - ours) / (1 - theirs)


def _scores(groups: Groups, name: str) -> Told:
    if not groups.get("holdout"):
        raise MissingRows("no holdout set is given (texts like the forget set, never trained on)")
    forget, holdout = (answers(groups, group, name) for group in ("forget", "holdout"))
    return _by_id(forget, name), _by_id(holdout, name)


def _by_id(rows: list[Row], name: str) -> dict[str, float]:
    return dict(zip((row.id for row in rows), read(rows, name), strict=True))


def _bootstrap(ours: Told, theirs: Told) -> tuple[float, float]:
    """Percentile bootstrap with the same texts for both models; AUCs as shares of pairs won."""
    import numpy

    members, others = (sorted(ids) for ids in ours)
    random = numpy.random.default_rng(0)
    forget, holdout = (
        random.multinomial(len(ids), [1 / len(ids)] * len(ids), DRAWS).astype(float)
        for ids in (members, others)
    )
    areas = []
    for told in (ours, theirs):
        m, o = (numpy.array([told[k][id] for id in ids]) for k, ids in enumerate((members, others)))
        won = numpy.zeros(DRAWS)
        for at in range(0, len(m), BLOCK):
            some = m[at : at + BLOCK, None]
            above = (some > o) + (some == o) / 2
            won += ((forget[:, at : at + BLOCK] @ above) * holdout).sum(1)
        areas.append(won / (len(m) * len(o)))
    mine, other = (area[areas[1] < 1] for area in areas)
    if not len(mine):
        return 0.0, 0.0
    low, high = numpy.quantile(100 * (other - mine) / (1 - other), [0.025, 0.975])
    return float(low), float(high)
