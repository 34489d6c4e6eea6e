"""Means and shares with 95% confidence intervals."""

import math
from collections.abc import Sequence
from statistics import stdev
from typing import Any

from unteach.types import Score

Z = 1.959964  # quantile of the normal distribution, for 95%
MOST = 700.0  # limit for exp, which overflows above 709
UNSEEN = 0.75  # weight of the unseen example; with 1, intervals of shares are Clopper-Pearson's
ALIKE = 1e-9  # values closer than this differ only by rounding
FARTHEST = (
    25.0  # limit of the unseen value, in gaps beyond the largest one, where no bound is known
)
OPEN = "no upper end is known: all values are alike, and may be any greater"
Range = tuple[float, float]


def mean_score(
    values: list[float], weights: list[float] | None = None, within: Range = (0.0, 1.0)
) -> Score:
    """Mean, optionally weighted, with its 95% interval.

    The interval is that of the Bayesian bootstrap (Rubin, Annals of Statistics 9, 1981): examples
    get random weights. One unseen example is added at an extreme value (`outermost`), as in the
    bound of Gaffke (2005) for bounded values. Nothing is sampled, so nothing depends on a seed
    (`_end`). Coverage holds also where nearly all values are 0 or 1: docs/concepts/intervals.md.

    An end is None where all values are equal and there is no bound on that side: then no interval
    with both ends can be valid (Bahadur and Savage, Annals of Mathematical Statistics 27,
    1956). For clustered examples, give the mean of each cluster, weighted by its size.

    Args:
        values: one for each example.
        weights: one for each example.
        within: smallest and largest possible value.

    Example:
        >>> score = mean_score([0.0] * 40)
        >>> score.value, score.low, round(score.high, 3)
        (0.0, 0.0, 0.076)
    """
    import numpy

    x = numpy.asarray(values, dtype=float)
    w = numpy.ones_like(x) if weights is None else numpy.asarray(weights, dtype=float)
    order = numpy.lexsort((w, x))  # so that the order of examples does not change the sums
    x, w = x[order], w[order]
    value, n = float((w * x).sum() / w.sum()), len(x)
    if not math.isfinite(value):
        return Score(value, n)
    low, high = -_end(-x[::-1], w[::-1], -within[0]), _end(x, w, within[1])
    note = OPEN if math.isfinite(low) and not math.isfinite(high) else ""
    least = min(low, value) if math.isfinite(low) else None
    most = max(high, value) if math.isfinite(high) else None
    return Score(value, n, least, most, note)


def perplexity_score(nlls: list[float], tokens: list[int]) -> Score:
    """Exp of the mean of `nlls` (nats per token), weighted by the number of tokens.

    At most exp(700), to avoid overflow.

    Example:
        >>> round(perplexity_score([math.log(2), math.log(4)], [3, 1]).value, 3)  # (8 * 4)^(1/4)
        2.378
    """
    return exponential(mean_score(nlls, [float(count) for count in tokens], (0.0, math.inf)))


def exponential(nll: Score) -> Score:
    """Exp of a score and of the ends of its interval, each at most exp(700)."""
    value, low, high = (x if x is None else _exp(x) for x in (nll.value, nll.low, nll.high))
    return Score(value, nll.n, low, high, nll.note)


def margin(values: Sequence[float]) -> float:
    """Half the width of the 95% interval of the mean of two or more values, by Student's t.

    Example:
        >>> round(margin([0.4, 0.5, 0.6]), 3)  # 4.303 * 0.1 / sqrt(3)
        0.248
    """
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))


def share_score(given: list[bool]) -> Score:
    """Share of true values with its 95% Clopper-Pearson interval, whose coverage is at least 95%.

    Example:
        >>> score = share_score([False] * 40)
        >>> score.value, score.low, round(score.high, 3)
        (0.0, 0.0, 0.088)
    """
    from scipy.stats import binomtest

    n, true = len(given), sum(given)
    ends = binomtest(true, n).proportion_ci(0.95, "exact")
    return Score(true / n, n, float(ends.low), float(ends.high))


def outermost(x: Any, most: float, w: Any = 1.0) -> float:
    """The largest value that an unseen example is assumed to have, at most `most`.

    It lies above the largest seen value by the gap between that and the next one, times r^1.5. r is
    1 if all values are equally far from their median, 1.3 for uniform ones, 2.3 for exponential
    ones, and 20 if 19 of 20 are equal: the rarer large values are, the more likely is a still
    larger one. If `most` is infinite, r^1.5 is at most 25.

    Args:
        x: the values, sorted.
        most: upper bound of the values; may be infinite.
        w: weights; values with larger weights count as farther out.

    Example:
        >>> import numpy
        >>> outermost(numpy.array([0.0, 0.25, 0.5]), 1.0), outermost(numpy.array([0.0, 0.0]), 1.0)
        (0.9592..., 1.0)
    """
    import numpy

    top = float(x[-1])
    below = x[x < top - ALIKE * max(abs(top), 1.0)]
    if not len(below):
        return max(most, top)
    away = numpy.abs(x - numpy.median(x)) * w
    step = (len(x) * float((away**2).sum() / away.sum() ** 2)) ** 1.5
    step = step if math.isfinite(most) else min(step, FARTHEST)
    return min(top + step * (top - float(below[-1])), max(most, top))


def _end(x: Any, w: Any, most: float) -> float:
    """Upper end of the interval: the 97.5% quantile of the mean under random weights.

    The weight of an example is w times an exponential variable E. The probability that the weighted
    mean exceeds u is that of sum(E w (x - u)) > 0, computed by the saddlepoint formula of Lugannani
    and Rice (Advances in Applied Probability 12, 1980) in Barndorff-Nielsen's form. Where the exact
    quantile is known (values 0 and 1: a beta distribution), the error is below 1% from two examples
    on.

    Args:
        x: the values, sorted.
        w: weights. The unseen example has the weight of the largest value, at least the mean
            weight: if long answers have extreme values, the unseen one is long too.
        most: upper bound of the values; may be infinite.
    """
    import numpy

    least, end = float(x[0]), outermost(x, most, w / w.mean())
    span = end - least
    if span <= ALIKE * max(abs(end), 1.0) or not math.isfinite(span):
        return end
    x = numpy.append((x - least) / span, 1.0)
    w = w / w.mean()
    w = numpy.append(w, max(float(w[x[:-1] >= x[-2] - ALIKE].mean()), 1.0))
    counts = numpy.ones_like(x)
    counts[-1] = UNSEEN
    low, high = float((counts * w * x).sum() / (counts * w).sum()), 1.0
    u, tilt = (low + high) / 2, 0.0
    for _ in range(100):
        gaps = w * (x - u)
        tilt = _tilt(gaps, counts, tilt)
        missing = Z - _normal(gaps, counts, tilt)
        low, high = (u, high) if missing > 0 else (low, u)
        last, u = u, u + missing / _steepness(gaps, counts, tilt, w)
        u = u if low < u < high else (low + high) / 2
        if abs(u - last) < 1e-9:
            break
    return least + span * u


def _tilt(gaps: Any, counts: Any, start: float) -> float:
    """Solve sum(counts gaps / (1 - t gaps)) = 0 for t between the poles, by Newton's method."""
    low, high = 1 / float(gaps.min()), 1 / float(gaps.max())
    t = start if low < start < high else 0.0
    for _ in range(60):
        share = gaps / (1 - t * gaps)
        slope, bend = float((counts * share).sum()), float((counts * share**2).sum())
        low, high = (low, t) if slope > 0 else (t, high)
        step = t - slope / bend
        step = step if low < step < high else (low + high) / 2
        if abs(step - t) <= 1e-9 * abs(step) or step == t:
            return step
        t = step
    return t


def _steepness(gaps: Any, counts: Any, t: float, w: Any) -> float:
    """Derivative of the normal deviate by the mean, without the saddlepoint correction."""
    import numpy

    left = 1 - t * gaps
    root = math.sqrt(max(2 * float((counts * numpy.log(left)).sum()), 0.0))
    return max(abs(t) * float((counts * w / left).sum()) / max(root, 1e-9), 1e-9)


def _normal(gaps: Any, counts: Any, t: float) -> float:
    """Normal deviate with the same tail probability as the weighted sum of gaps has above 0."""
    import numpy

    left = 1 - t * gaps
    root = math.copysign(math.sqrt(max(2 * float((counts * numpy.log(left)).sum()), 0.0)), t)
    if abs(root) < 1e-4:
        return root
    spread = t * math.sqrt(float((counts * (gaps / left) ** 2).sum()))
    return root + math.log(spread / root) / root


def _exp(nll: float) -> float:
    return nll if math.isnan(nll) else math.exp(min(nll, MOST))
