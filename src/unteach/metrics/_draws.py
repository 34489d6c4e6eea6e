"""Bootstrap intervals for a score that is computed from several groups of examples."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from unteach.metrics.rows import MissingRows
from unteach.types import Score

DRAWS = 400
BLOCK = 50  # draws at once, to limit memory
Draw = Mapping[str, Any]  # group -> indices of the sampled examples, one row for each draw


@dataclass(frozen=True)
class Part:
    """One component of a score.

    Attributes:
        of: function from sampled indices to the component's value, one for each draw.
        sizes: number of examples of each group.
        note: how to read it.
    """

    of: Callable[[Draw], Any]
    sizes: Mapping[str, int]
    note: str = ""


def together(*parts: Part) -> Score:
    """The harmonic mean of the parts with its 95% interval (bootstrap, seed 0).

    Examples are sampled with replacement within each group, the same ones for every model and part.
    Repeated examples make two samples look further apart than they are, so the interval is shifted
    by the difference between the value and the mean of the draws. The value itself is computed from
    samples too and is biased down in the same way, so the upper end is moved up by as much again,
    and is at least the mirrored lower end. Both are clipped to 0 and 1. Without spread among the
    draws there is no interval.
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
    blocks = [
        whole({group: random.integers(0, k, (BLOCK, k)) for group, k in sizes.items()})
        for _ in range(DRAWS // BLOCK)
    ]
    draws = numpy.concatenate(blocks)
    draws = draws[~numpy.isnan(draws)]
    if not len(draws) or draws.min() == draws.max():
        return Score(value, n, note=note)
    (least, most), off = numpy.quantile(draws, [0.025, 0.975]), max(value - draws.mean(), 0.0)
    low = least - draws.mean() + value
    high = max(most - draws.mean() + value, 2 * value - least + off)
    low, high = (min(max(float(end), 0.0), 1.0) for end in (low, high))
    return Score(value, n, min(low, value), max(high, value), note)


def harmonic(values: list[Any]) -> Any:
    """Harmonic mean of the values of each draw; 0 if one value is 0.

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
