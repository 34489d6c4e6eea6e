"""Means and shares with the interval that the number of examples allows."""

import math
from typing import Any

from unteach.nouns import Score

DRAWS = 1000
MANY = 2000  # examples from which on the bootstrap's limit is as good, and costs nothing
Z = 1.959964  # of the normal distribution, for 95%
MOST = 700.0  # exp of more is no float any more


def mean_score(values: list[float], weights: list[float] | None = None) -> Score:
    """The mean, weighted if asked, with its 95% interval (percentile bootstrap, seed 0).

    No interval comes with one value, nor with values all alike: resampling cannot tell.

    Args:
        values: one for each example.
        weights: one for each example; resampled with its value.

    Example:
        >>> score = mean_score([0.0, 0.5, 1.0, 1.0])
        >>> score.value, score.n, score.low < 0.625 < score.high
        (0.625, 4, True)
    """
    import numpy

    x = numpy.asarray(values, dtype=float)
    w = numpy.ones_like(x) if weights is None else numpy.asarray(weights, dtype=float)
    order = numpy.lexsort((w, x))  # sorted, so that the order of examples changes nothing
    x, w = x[order], w[order]
    value, n = float((w * x).sum() / w.sum()), len(x)
    if n < 2 or not math.isfinite(value) or x[0] == x[-1]:
        return Score(value, n)
    low, high = _limit(x, w, value) if n > MANY else _bootstrap(x, w)
    return Score(value, n, low, high)


def perplexity_score(nlls: list[float], tokens: list[int]) -> Score:
    """Exp of the mean of `nlls` (nats per token), each counting as often as it has tokens.

    Never above exp(700): a model as broken as that needs no more digits.

    Example:
        >>> round(perplexity_score([math.log(2), math.log(4)], [3, 1]).value, 3)  # (8 * 4)^(1/4)
        2.378
    """
    nll = mean_score(nlls, [float(count) for count in tokens])
    value, low, high = (x if x is None else _exp(x) for x in (nll.value, nll.low, nll.high))
    return Score(value, nll.n, low, high)


def share_score(given: list[bool]) -> Score:
    """The share of true ones with its 95% interval (Wilson's, honest at 0 and at 1).

    Example:
        >>> score = share_score([False] * 40)
        >>> score.value, score.low, round(score.high, 3)
        (0.0, 0.0, 0.088)
    """
    n = len(given)
    share = sum(given) / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    # At 0 and at 1 the equation gives just these ends, but for rounding.
    low = 0.0 if share == 0 else centre - half
    return Score(share, n, low, 1.0 if share == 1 else centre + half)


def _exp(nll: float) -> float:
    return nll if math.isnan(nll) else math.exp(min(nll, MOST))


def _bootstrap(x: Any, w: Any) -> tuple[float, float]:
    import numpy

    draws = numpy.random.default_rng(0).integers(0, len(x), (DRAWS, len(x)))
    means = (w * x)[draws].sum(1) / w[draws].sum(1)
    low, high = numpy.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _limit(x: Any, w: Any, value: float) -> tuple[float, float]:
    residuals = w * (x - value) / w.mean()
    half = Z * float(residuals.std(ddof=1)) / math.sqrt(len(x))
    return value - half, value + half
