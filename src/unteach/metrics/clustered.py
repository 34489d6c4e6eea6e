"""Means, AUC and prediction with intervals over persons, who may have several records each."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from unteach.metrics.intervals import mean_score
from unteach.metrics.roc import auc, tpr
from unteach.types import Score

DRAWS = 1000
FEWEST = 3  # persons whose spread can be told


def by_person(values: Mapping[str, float], persons: Mapping[str, str]) -> dict[str, list[float]]:
    """Values by person, from values by record; a record without a person is one of its own.

    Example:
        >>> by_person({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": "x", "b": "x"})
        {'x': [1.0, 2.0], 'c': [3.0]}
    """
    found: dict[str, list[float]] = {}
    for id, value in values.items():
        found.setdefault(persons.get(id, id), []).append(value)
    return found


def clustered_mean(groups: Mapping[str, list[float]]) -> Score:
    """Mean of all records between 0 and 1, with an interval over persons.

    Never narrower than the interval over single records.

    Example:
        >>> twins = {"a": [0.9] * 20, "b": [0.1] * 20, "c": [0.5] * 20}
        >>> clustered_mean(twins).low < 0.3 < mean_score(_all(twins)).low
        True
    """
    plain = mean_score(_all(groups))
    wide = mean_score([fmean(of) for of in groups.values()], [len(of) for of in groups.values()])
    return replace(plain, low=_of(min, plain.low, wide.low), high=_of(max, plain.high, wide.high))


def predicted_top(groups: Mapping[str, list[float]], count: int) -> float | None:
    """Upper end of the 95% prediction interval for the mean of `count` new persons.

    Student's t over the persons' means. None with fewer than three persons.

    Example:
        >>> round(predicted_top({"a": [0.1, 0.3], "b": [0.3], "c": [0.4]}, 1), 3)  # sd 0.1
        0.797
    """
    from scipy.stats import t

    means = [fmean(of) for of in groups.values()]
    if len(means) < FEWEST:
        return None
    wide = math.sqrt(1 / len(means) + 1 / max(count, 1))
    return fmean(means) + float(t.ppf(0.975, len(means) - 1)) * stdev(means) * wide


def clustered_auc(members: Mapping[str, list[float]], others: Mapping[str, list[float]]) -> Score:
    """AUC of all records, with an interval from 1,000 bootstrap samples of persons.

    Never narrower than the interval over single records.

    Args:
        members: scores by person.
        others: scores of records never seen, by person.

    Example:
        >>> found = clustered_auc({"a": [1.0, 2.0], "b": [3.0]}, {"c": [0.0, 2.5], "d": [1.0]})
        >>> round(found.value, 3), found.n
        (0.722, 6)
    """
    return _bootstrapped(auc(_all(members), _all(others)), _area, members, others)


def clustered_tpr(members: Mapping[str, list[float]], others: Mapping[str, list[float]]) -> Score:
    """TPR at 1% FPR of all records, with an interval from bootstrap samples as `clustered_auc`.

    Args:
        members: scores by person.
        others: scores of records never seen, by person.

    Example:
        >>> clustered_tpr({"a": [1.0, 2.0], "b": [3.0]}, {"c": [0.0, 1.5], "d": [1.0]}).value
        0.6666666666666666
    """
    return _bootstrapped(tpr(_all(members), _all(others)), _found, members, others)


def _bootstrapped(
    plain: Score,
    statistic: Callable[[list[float], list[float]], float],
    members: Mapping[str, list[float]],
    others: Mapping[str, list[float]],
) -> Score:
    """The score with an interval over samples of persons, never narrower than its own."""
    import numpy

    draw: Any = numpy.random.default_rng(0)
    if len(members) < 2 or len(others) < 2 or plain.low is None or plain.high is None:
        return plain
    ours, theirs = list(members.values()), list(others.values())
    found = [statistic(_drawn(draw, ours), _drawn(draw, theirs)) for _ in range(DRAWS)]
    low, high = (float(end) for end in numpy.quantile(found, [0.025, 0.975]))
    return replace(plain, low=min(low, plain.low), high=max(high, plain.high))


def _found(members: list[float], others: list[float]) -> float:
    """Share of the members above a threshold that at most 1 in 100 of the others reach."""
    threshold = sorted(others, reverse=True)[len(others) // 100]
    return sum(value > threshold for value in members) / len(members)


def _of(choose: Any, one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else choose(one, other)


def _all(groups: Mapping[str, list[float]]) -> list[float]:
    return [value for values in groups.values() for value in values]


def _drawn(draw: Any, groups: list[list[float]]) -> list[float]:
    return [x for k in draw.integers(len(groups), size=len(groups)) for x in groups[k]]


def _area(members: list[float], others: list[float]) -> float:
    import numpy

    below = numpy.searchsorted(numpy.sort(others), members, side="left")
    upto = numpy.searchsorted(numpy.sort(others), members, side="right")
    return float((below + upto).mean() / (2 * len(others)))
