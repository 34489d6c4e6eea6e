"""How well a score tells members from others: the area under its curve, and the curve's start."""

import math
from typing import Any

from unteach.metrics.intervals import DRAWS, Z
from unteach.nouns import Score

FEW = 100  # with fewer others, one of them above the threshold is already more than 1%
BLOCK = 1 << 20  # values drawn at a time


def auc(members: list[float], others: list[float]) -> Score:
    """Probability that a member scores above another; ties count half.

    The interval is DeLong's (Biometrics 44, 1988). There is none with fewer than two on a side, nor
    where all comparisons end alike: the data then cannot tell how sure the value is.

    Example:
        >>> auc([3.0, 2.0], [1.0, 2.0]).value  # (1 + 1 + 1 + 0.5) / 4
        0.875
    """
    import numpy
    from scipy.stats import rankdata

    m, n = len(members), len(others)
    ranks = rankdata([*members, *others])
    beaten = (ranks[:m] - rankdata(members)) / n  # share of the others below each member
    beating = 1 - (ranks[m:] - rankdata(others)) / m  # share of the members above each other
    value = float(beaten.mean())
    if min(m, n) < 2 or not math.isfinite(value):
        return Score(value, m + n)
    variance = numpy.var(beaten, ddof=1) / m + numpy.var(beating, ddof=1) / n
    half = Z * math.sqrt(float(variance))
    if half == 0:
        return Score(value, m + n)
    return Score(value, m + n, max(value - half, 0.0), min(value + half, 1.0))


def tpr(members: list[float], others: list[float]) -> Score:
    """Share of the members found at a threshold that at most 1 in 100 of the others reach.

    That is the greatest TPR among the points of the ROC curve with FPR <= 1%: the share of members
    strictly above the (n // 100 + 1)-th greatest of the n others. With fewer than 100 others, the
    threshold is above all of them, and the note says so.

    The interval is a percentile bootstrap (seed 0) over members and over others; there is none with
    fewer than two on a side, nor where all draws agree.

    Example:
        >>> tpr([3.0, 2.0, 1.0, 5.0], [2.0, 0.0]).value  # 3 and 5 are above 2
        0.5
    """
    import numpy

    m, n = len(members), len(others)
    allowed = n // 100
    # Sorted, so that the order of examples changes nothing.
    x, y = numpy.sort(members), numpy.sort(others)
    note = f"above all of the {n} holdout texts: 1% of them is less than one" if n < FEW else ""
    if numpy.isnan(x).any() or numpy.isnan(y).any():
        return Score(math.nan, m + n)
    value = float((x > y[n - 1 - allowed]).mean())
    if min(m, n) < 2:
        return Score(value, m + n, note=note)
    low, high = _bootstrap(x, y, allowed)
    if low == high:
        return Score(value, m + n, note=note)
    return Score(value, m + n, min(low, value), max(high, value), note)


def _bootstrap(x: Any, y: Any, allowed: int) -> tuple[float, float]:
    import numpy

    m, n = len(x), len(y)
    rng, many = numpy.random.default_rng(0), numpy.repeat([n, m], [n, m])
    found, most = [], max(BLOCK // (m + n), 1)
    for done in range(0, DRAWS, most):
        drawn = rng.integers(0, many, (min(most, DRAWS - done), m + n))
        # The values are sorted, so the place of the threshold among the drawn is that of its index.
        place = numpy.partition(drawn[:, :n], n - 1 - allowed)[:, n - 1 - allowed]
        first = numpy.searchsorted(x, y[place], side="right")  # the first member above it
        found.append((drawn[:, n:] >= first[:, None]).mean(1))
    low, high = numpy.quantile(numpy.concatenate(found), [0.025, 0.975])
    return float(low), float(high)
