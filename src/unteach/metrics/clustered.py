"""Membership AUC with a bootstrap interval over persons, who may have several records each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unteach.metrics.roc import auc
from unteach.types import Score

DRAWS = 1000


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
    import numpy

    draw: Any = numpy.random.default_rng(0)
    plain = auc(_all(members), _all(others))
    if len(members) < 2 or len(others) < 2 or plain.low is None or plain.high is None:
        return plain
    ours, theirs = list(members.values()), list(others.values())
    areas = [_area(_drawn(draw, ours), _drawn(draw, theirs)) for _ in range(DRAWS)]
    low, high = (float(end) for end in numpy.quantile(areas, [0.025, 0.975]))
    return replace(plain, low=min(low, plain.low), high=max(high, plain.high))


def _all(groups: Mapping[str, list[float]]) -> list[float]:
    return [value for values in groups.values() for value in values]


def _drawn(draw: Any, groups: list[list[float]]) -> list[float]:
    return [x for k in draw.integers(len(groups), size=len(groups)) for x in groups[k]]


def _area(members: list[float], others: list[float]) -> float:
    import numpy

    below = numpy.searchsorted(numpy.sort(others), members, side="left")
    upto = numpy.searchsorted(numpy.sort(others), members, side="right")
    return float((below + upto).mean() / (2 * len(others)))
