"""Recovery under an attack, on a scale from a model that never saw the data to the original."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from unteach.metrics.difference import difference
from unteach.metrics.intervals import mean_score
from unteach.metrics.paired import paired
from unteach.metrics.rows import MissingRows
from unteach.types import Score

Values = Mapping[str, float]  # example id -> value between 0 and 1
FURTHEST = 100.0  # larger recoveries only say that the original knew little
NEAR = 1e-6


def recovery(
    unlearned: Values,
    original: Values,
    *,
    retrained: Values | None = None,
    holdout: Values | None = None,
) -> Score:
    """(unlearned - never seen) / (original - never seen): means under the same attack.

    0: the attack gets from the unlearned model what it gets from one that never saw the data; 1: it
    gets as much as from the original. Below 0, the model knows less than one that never saw the
    data. Never seen is the mean of the retrained model on the same examples or, without one, that
    of the original on the holdout.

    The interval holds every r for which 0 lies inside the interval of numerator minus r times
    denominator (Fieller, Journal of the Royal Statistical Society B 16, 1954). The ends of both are
    those of `mean_score`, combined as if independent (MOVER: Donner and Zou, Statistical Methods in
    Medical Research 21, 2012). They are not independent, since the retrained model is in both: so
    near 1 the interval is longer than necessary.

    Args:
        unlearned: values of the forget examples under attack, between 0 and 1.
        original: values of the same examples.
        retrained: values of the same examples; preferred to the holdout.
        holdout: values of the original on texts that no model saw.

    Raises:
        MissingRows: there is neither a retrained model nor a holdout, the examples differ, or the
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
        return _ratio(gaps, [])
    if not holdout:
        raise MissingRows("neither a retrained model nor a holdout set is given")
    return _ratio(pairs, [holdout[id] for id in sorted(holdout)])


def _ratio(gaps: list[tuple[float, float]], zeros: list[float]) -> Score:
    """Ratio of two means with its interval.

    Args:
        gaps: numerator and denominator of each example.
        zeros: values whose mean is subtracted from both means; empty if already subtracted.
    """
    top, top_low, top_high = _difference([gap[0] for gap in gaps], zeros)
    base, base_low, base_high = _difference([gap[1] for gap in gaps], zeros)
    if base <= NEAR or base_low <= 0:
        raise MissingRows("the attack gets no more from the original than from what was never seen")

    def low(r: float) -> float:
        """Lower end of the interval of the numerator minus r times the denominator."""
        far = base_high - base if r > 0 else base - base_low
        return top - r * base - math.hypot(top - top_low, r * far)

    def high(r: float) -> float:
        far = base - base_low if r > 0 else base_high - base
        return top - r * base + math.hypot(top_high - top, r * far)

    value = top / base
    ends = _root(low, value, -1.0), _root(lambda r: -high(r), value, 1.0)
    return Score(value, len(gaps), *ends)


def _difference(values: list[float], taken: list[float]) -> tuple[float, float, float]:
    """Mean of the values, less that of others if there are any, and the ends of its interval."""
    found = mean_score(values, within=(-1.0, 1.0))
    found = difference(_closed(found), _closed(mean_score(taken))) if taken else _closed(found)
    return found.value or 0.0, found.low or 0.0, found.high or 0.0


def _closed(score: Score) -> Score:
    """The score with its value in place of an end that is not known."""
    low, high = (score.value if end is None else end for end in (score.low, score.high))
    return replace(score, low=low, high=high)


def _root(above: Callable[[float], float], value: float, way: float) -> float | None:
    """End of the interval on one side of the value; None if there is none.

    Args:
        above: function of a recovery; at most 0 inside the interval.
        value: the point estimate, which is inside.
        way: -1 for the lower end, 1 for the upper end.
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
