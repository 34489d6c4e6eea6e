"""AUC and TPR of scores whose truth is known, for benchmarks/coverage.py."""

import math

import numpy as np
from scipy.stats import norm

from unteach.metrics.intervals import Z
from unteach.metrics.roc import auc, tpr


def scores(rng, area_, form, m, n):
    """Members and others with that AUC; forms: how the members lie."""
    if form == "exponential":
        return rng.exponential(size=m) * (area_ / max(1 - area_, 1e-12)), rng.exponential(size=n)
    if form == "mixture":
        far = rng.random(m) < 2 * area_ - 1
        return rng.normal(size=m) + 100 * far, rng.normal(size=n)
    sd = {"wide": 2.5, "tight": 0.4}.get(form, 1.0)
    shift = norm.ppf(area_) * math.hypot(1, sd) if area_ < 1 else 40.0
    x, y = shift + sd * rng.normal(size=m), rng.normal(size=n)
    return (np.floor(x), np.floor(y)) if form == "tied" else (x, y)


FORMS = ("normal", "wide", "tight", "exponential", "mixture", "tied")


def true_area(area_, form):
    """Of whole numbers it is another: summed up over them."""
    if form != "tied" or area_ == 1:
        return area_
    at = np.arange(-40.0, 60.0)
    shift = norm.ppf(area_) * math.sqrt(2)
    mine, theirs = (norm.cdf(at + 1 - s) - norm.cdf(at - s) for s in (shift, 0.0))
    below = np.cumsum(theirs) - theirs
    return float((mine * (below + theirs / 2)).sum())


def roc_area(rng, shape, m, n):
    area_, form = shape.split(" ")
    x, y = scores(rng, float(area_), form, m, n)
    return auc(x.tolist(), y.tolist()), true_area(float(area_), form), delong(x, y)


def delong(x, y):
    """Plain, and on the log-odds."""
    won = (x[:, None] > y).astype(float) + (x[:, None] == y) / 2
    value = won.mean()
    error = math.sqrt(won.mean(1).var(ddof=1) / len(x) + won.mean(0).var(ddof=1) / len(y))
    found = {"DeLong": (max(value - Z * error, 0), min(value + Z * error, 1))}
    if 0 < value < 1:
        odds, step = math.log(value / (1 - value)), Z * error / (value * (1 - value))
        found["logit DeLong"] = tuple(1 / (1 + math.exp(-odds - s * step)) for s in (-1, 1))
    else:
        found["logit DeLong"] = (value, value)
    return found


def start(rng, shape, m, n):
    """TPR at 1% FPR, of normal scores and whole numbers."""
    area_, form = shape.split(" ")
    area_ = float(area_)
    x, y = scores(rng, area_, form, m, n)
    shift = norm.ppf(area_) * math.sqrt(2) if area_ < 1 else 40.0
    at = norm.ppf(0.99)
    if form == "tied":  # the least whole number that at most 1% are above
        at = next(k for k in range(-5, 9) if norm.sf(k + 1) <= 0.01) + 1
    picks = rng.integers(0, m, (100, m)), np.sort(rng.integers(0, n, (100, n)), 1)
    bounds = np.sort(y)[picks[1][:, n - 1 - n // 100]]
    drawn = np.quantile((x[picks[0]] > bounds[:, None]).mean(1), [0.025, 0.975])
    return tpr(x.tolist(), y.tolist()), norm.sf(at - shift), {"bootstrap": tuple(drawn)}
