"""A number that rests on several groups of examples, with its interval."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from unteach.metrics.rows import MissingRows
from unteach.types import Score

DRAWS = 400
BLOCK = 50  # draws at once, so that memory does not grow with their number
Draw = Mapping[str, Any]  # group -> the places of the examples that count, one line for each draw


@dataclass(frozen=True)
class Part:
    """One part of a number.

    Attributes:
        of: from the examples that count to its value, one for each draw.
        sizes: how many examples each group has.
        note: how to read it.
    """

    of: Callable[[Draw], Any]
    sizes: Mapping[str, int]
    note: str = ""


def together(*parts: Part) -> Score:
    """The harmonic mean of the parts with its 95% interval (bootstrap, seed 0).

    Examples are drawn with repeats inside each group, the same ones for every model and part.
    Repeats make any two samples look further apart than they are, so the interval is moved by as
    much as the draws' mean lies off the value. The value itself is that of two samples, too, and so
    lies below that of all such examples: the upper end is moved by as much again, and is no less
    than the mirrored lower one. Both stay between 0 and 1. There is none where all draws agree.
    """
    import numpy

    sizes = dict(sorted({g: count for part in parts for g, count in part.sizes.items()}.items()))
    note = "; ".join(part.note for part in parts if part.note)

    def whole(draw: Draw) -> Any:
        return harmonic([part.of(draw) for part in parts])

    value = float(whole({group: numpy.arange(count)[None] for group, count in sizes.items()})[0])
    n = sum(sizes.values())
    if math.isnan(value):
        raise MissingRows(
            "the original is just like the retrained model: there was nothing to forget"
        )
    random = numpy.random.default_rng(0)
    drawn = [
        whole({group: random.integers(0, k, (BLOCK, k)) for group, k in sizes.items()})
        for _ in range(DRAWS // BLOCK)
    ]
    found = numpy.concatenate(drawn)
    found = found[~numpy.isnan(found)]
    if not len(found) or found.min() == found.max():
        return Score(value, n, note=note)
    (least, most), off = numpy.quantile(found, [0.025, 0.975]), max(value - found.mean(), 0.0)
    low = least - found.mean() + value
    high = max(most - found.mean() + value, 2 * value - least + off)
    low, high = (min(max(float(end), 0.0), 1.0) for end in (low, high))
    return Score(value, n, min(low, value), max(high, value), note)


def harmonic(values: list[Any]) -> Any:
    """Harmonic mean of each draw's values: 0 as soon as one is.

    Example:
        >>> import numpy
        >>> harmonic([numpy.array([0.5, 0.0]), numpy.array([1.0, 1.0])]).round(3).tolist()
        [0.667, 0.0]
    """
    import numpy

    least = numpy.minimum.reduce(values)
    whole = numpy.where(least > 0, 1.0, numpy.nan)
    mean = len(values) / sum(1 / numpy.where(least > 0, value, 1.0) for value in values)
    return numpy.where(least == 0, 0.0, whole * mean)
