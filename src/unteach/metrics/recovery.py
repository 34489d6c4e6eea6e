"""How much an attack brings back, on the scale from never seen to what the original gives."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from unteach.metrics.intervals import mean_score
from unteach.metrics.paired import paired
from unteach.metrics.rows import MissingRows
from unteach.types import Score

Values = Mapping[str, float]  # a number between 0 and 1 of each example, by its id
FURTHEST = 100.0  # recoveries beyond it say no more than that there was little to lose
NEAR = 1e-6


def recovery(
    unlearned: Values,
    original: Values,
    *,
    retrained: Values | None = None,
    holdout: Values | None = None,
) -> Score:
    """(unlearned - never seen) / (original - never seen), of means, all of them after one attack.

    0: the attack gets from the unlearned model what it gets from one that never saw the data; 1: it
    gets all that it gets from the original. Below 0 the model stands out by knowing less than one
    that never saw them. Never seen is the retrained model's mean on the same examples, or, without
    one, the original's on the holdout.

    The interval holds every r for which 0 lies inside the interval of what is left minus r times
    what there was (Fieller, Journal of the Royal Statistical Society B 16, 1954). The ends of both
    are those of `mean_score`, and are put together in squares (MOVER: Donner and Zou, Statistical
    Methods in Medical Research 21, 2012), as if they were independent. They are not, as both have
    the retrained model in them: so near 1 the interval is longer than it need be.

    Args:
        unlearned: of each forget example under attack, between 0 and 1.
        original: of the same examples.
        retrained: of the same examples; goes before the holdout.
        holdout: of the original model, on texts that no model saw.

    Raises:
        Missing: there is nothing to hold it against, the models were not asked the same, or the
            attack gets no more from the original than from a model that never saw the data.

    Example:
        >>> forget = [f"forget-{k}" for k in range(40)]
        >>> never, known = dict.fromkeys(forget, 0.25), dict.fromkeys(forget, 1.0)
        >>> half = {id: 1.0 if k % 2 else 0.25 for k, id in enumerate(forget)}
        >>> score = recovery(half, known, retrained=never)
        >>> score.value, score.low < 0.5 < score.high
        (0.5, True)
    """
    pairs = paired(dict(unlearned), dict(original))
    if not pairs:
        raise MissingRows("no forget answer was asked")
    if retrained is not None:
        never = [x for _, x in paired(dict(unlearned), dict(retrained))]
        gaps = [(u - n, o - n) for (u, o), n in zip(pairs, never, strict=True)]
        return _solved(gaps, [])
    if not holdout:
        raise MissingRows("neither a retrained model nor a holdout set is given")
    return _solved(pairs, [holdout[id] for id in sorted(holdout)])


def _solved(gaps: list[tuple[float, float]], zeros: list[float]) -> Score:
    """The ratio of means with its interval.

    Args:
        gaps: what is left and what there was, of each example.
        zeros: what is to be taken off the means of both; none where it is off already.
    """
    left, there = (_less([gap[k] for gap in gaps], zeros) for k in (0, 1))
    if there.value <= NEAR or there.low <= 0:
        raise MissingRows("the attack gets no more from the original than from what was never seen")

    def low(r: float) -> float:
        """Of left - r there."""
        far = there.high - there.value if r > 0 else there.value - there.low
        return left.value - r * there.value - math.hypot(left.value - left.low, r * far)

    def high(r: float) -> float:
        far = there.value - there.low if r > 0 else there.high - there.value
        return left.value - r * there.value + math.hypot(left.high - left.value, r * far)

    value = left.value / there.value
    ends = _root(low, value, -1.0), _root(lambda r: -high(r), value, 1.0)
    return Score(value, len(gaps), *ends)


class _Mean(NamedTuple):
    """A mean and its ends."""

    value: float
    low: float
    high: float


def _less(values: list[float], taken: list[float]) -> _Mean:
    """Of the values, less the mean of others where there are any."""
    ours = _mean(values, -1.0)
    if not taken:
        return ours
    theirs = _mean(taken, 0.0)
    value = ours.value - theirs.value
    down = math.hypot(ours.value - ours.low, theirs.high - theirs.value)
    up = math.hypot(ours.high - ours.value, theirs.value - theirs.low)
    return _Mean(value, value - down, value + up)


def _mean(values: list[float], least: float) -> _Mean:
    found = mean_score(values, within=(least, 1.0))
    value = found.value or 0.0
    low, high = (value if end is None else end for end in (found.low, found.high))
    return _Mean(value, low, high)


def _root(above: Callable[[float], float], value: float, way: float) -> float | None:
    """Where an end of the interval is 0, on one side of the value; None where it never is.

    Args:
        above: at most 0 while a recovery is inside the interval.
        value: which is.
        way: -1 down, 1 up.
    """
    from scipy.optimize import brentq

    near, step = value, 0.05
    while abs(near - value) < FURTHEST:
        far = near + way * step
        if above(far) > 0:
            found: Any = brentq(above, near, far, xtol=1e-6)
            return found
        near, step = far, 2 * step
    return None
