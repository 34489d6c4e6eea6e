"""Difference of two scores with its confidence interval."""

import math

from unteach.types import Score


def difference(one: Score, other: Score) -> Score:
    """One score minus the other, with a 95% interval from their own intervals (MOVER).

    The distances to the intervals' ends are added like independent errors: equation 3 of Zou and
    Donner (Statistics in Medicine 27, 2008). Scores on the same texts are positively correlated, so
    the interval is too wide rather than too narrow.

    Returns:
        A score without a value if either has none, and without an interval if either has none.

    Example:
        >>> found = difference(Score(0.5, 9, 0.4, 0.6), Score(0.25, 9, 0.2, 0.3))
        >>> found.value, round(found.low, 4), round(found.high, 4)
        (0.25, 0.1382, 0.3618)
    """
    if one.value is None or other.value is None:
        return Score(None, note=one.note or other.note)
    value, n = one.value - other.value, min(one.n, other.n)
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Score(value, n)
    low = math.hypot(one.value - one.low, other.high - other.value)
    high = math.hypot(one.high - one.value, other.value - other.low)
    return Score(value, n, value - low, value + high)


def alike(one: Score | None, other: Score | None) -> bool:
    """Whether the interval of the difference contains 0, so the scores may be equal.

    Example:
        >>> alike(Score(0.5, 9, 0.4, 0.6), Score(0.45, 9, 0.35, 0.55)), alike(Score(0.5), None)
        (True, False)
    """
    if one is None or other is None:
        return False
    found = difference(one, other)
    return found.low is not None and found.high is not None and found.low <= 0 <= found.high
