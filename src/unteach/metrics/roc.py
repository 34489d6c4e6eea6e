"""AUC and TPR at 1% FPR of a membership score, with intervals."""

import math
from collections.abc import Callable
from typing import Any

from unteach.types import Score

RATE = 0.01  # false positive rate
FEW = 100  # with fewer others, one false positive is already more than 1%
ENOUGH = 368  # with this many others, all lie below the 1% point with a probability under 2.5%


def auc(members: list[float], others: list[float]) -> Score:
    """Probability that a random member scores above a random other; ties count half.

    The interval is Newcombe's method 5 (Statistics in Medicine 25, 2006): all areas u whose
    distance from the value is at most t standard errors under u, with Student's t for the smaller
    group (2.09 for 20, 1.96 for many). It has both ends also if every member scores above every
    other. The variance is that of exponential scores (Hanley and McNeil, 1982), or DeLong's
    (Biometrics 44, 1988), which is computed from the scores, with Welch's t, if that is larger.
    There is no interval with fewer than two scores on a side.

    Example:
        >>> auc([3.0, 2.0], [1.0, 2.0]).value  # (1 + 1 + 1 + 0.5) / 4
        0.875
    """
    import numpy
    from scipy.stats import rankdata, t

    m, n = len(members), len(others)
    ranks = rankdata([*members, *others])
    beaten = (ranks[:m] - rankdata(members)) / n  # share of the others below each member
    beating = 1 - (ranks[m:] - rankdata(others)) / m  # share of the members above each other
    value = float(beaten.mean())
    if min(m, n) < 2 or not math.isfinite(value):
        return Score(value, m + n)
    few = float(t.ppf(0.975, min(m, n) - 1))
    own = [float(numpy.var(beaten, ddof=1)) / m, float(numpy.var(beating, ddof=1)) / n]
    seen = _squared_margin(own, (m - 1, n - 1)) / (value * (1 - value)) if 0 < value < 1 else 0.0

    def far(u: float) -> float:
        return (value - u) ** 2 - max(
            seen * u * (1 - u), few * few * _exponential_variance(u, m, n)
        )

    return Score(value, m + n, _root(far, value, 0.0), _root(far, value, 1.0))


def tpr(members: list[float], others: list[float]) -> Score:
    """TPR at 1% FPR: the share of members above a threshold that at most 1 in 100 others reach.

    That is the largest TPR on the ROC curve with FPR <= 1%: the share of members strictly above the
    (n // 100 + 1)-th largest of the n others. With fewer than 100 others, the threshold is above
    all of them, and the note says so.

    The interval is for the TPR at the threshold that 1 in 100 of *all* others reach. How many of
    the given others lie above that threshold is not known; the number is binomial with 1% each. For
    each number the TPR has a beta distribution, as in Clopper and Pearson's interval; the ends
    leave 2.5% of the mixture on each side. If it is likely enough that none of the others lies
    above it, the lower end is 0, and the note says so.

    Example:
        >>> tpr([3.0, 2.0, 1.0, 5.0], [2.0, 0.0]).value  # 3 and 5 are above 2
        0.5
    """
    import numpy
    from scipy.special import betainc, betaincc
    from scipy.stats import binom

    m, n = len(members), len(others)
    x, y = numpy.sort(members), numpy.sort(others)
    if numpy.isnan(x).any() or numpy.isnan(y).any():
        return Score(math.nan, m + n)
    # Number of members above: nothing (0), the largest other, the second largest, ..., all (m).
    found = numpy.array([0, *(m - numpy.searchsorted(x, y[::-1], side="right")), m])
    value = float(found[n // 100 + 1]) / m
    above = numpy.arange(n + 1)
    chance = binom.pmf(above, n, RATE)
    above, chance = above[chance > 1e-9], chance[chance > 1e-9]
    least, most = found[above], found[above + 1]

    def under(share: float) -> float:
        return 0.025 - float(chance @ _beta(betainc, share, least, m - least + 1))

    def over(share: float) -> float:
        return 0.025 - float(chance @ _beta(betaincc, share, most + 1, m - most))

    low, high = _root(under, value, 0.0), _root(over, value, 1.0)
    return Score(value, m + n, low, high, _size_note(n))


def _size_note(n: int) -> str:
    above = f"above all of the {n} holdout texts: 1% of them is less than one"
    few = f"{n} holdout texts are too few to tell, so the lower end is 0; {ENOUGH} are enough"
    return "; ".join([above] * (n < FEW) + [few] * (n < ENOUGH))


def _beta(tail: Callable[..., Any], share: float, one: Any, other: Any) -> Any:
    """Tail probabilities of beta distributions; 1 where a parameter is 0."""
    import numpy

    there = (one > 0) & (other > 0)
    return numpy.where(there, tail(numpy.maximum(one, 1), numpy.maximum(other, 1), share), 1.0)


def _exponential_variance(u: float, m: int, n: int) -> float:
    """Variance of an AUC u of exponential scores, with equal group sizes (method 5)."""
    each = (m + n) / 2 - 1
    return u * (1 - u) * (1 + each * ((1 - u) / (2 - u) + u / (1 + u))) / (m * n)


def _squared_margin(own: list[float], degrees: tuple[int, int]) -> float:
    """(t * standard error)^2 of a sum of two means with these variances, with Welch's t."""
    from scipy.stats import t

    if not sum(own):
        return 0.0
    freedom = sum(own) ** 2 / sum(v * v / d for v, d in zip(own, degrees, strict=True))
    return float(t.ppf(0.975, freedom)) ** 2 * sum(own)


def _root(far: Callable[[float], float], value: float, end: float) -> float:
    """Root of `far` between the value, where it is negative, and an end; else the end itself."""
    from scipy.optimize import brentq

    start = value + 1e-9 * (end - value)  # at exactly 0 or 1 the variance is 0
    if value == end or far(end) <= 0:
        return end
    if far(start) >= 0:
        return value
    found: Any = brentq(far, start, end, xtol=1e-9)
    return found
