"""Recovery: the ratio written again, its limits, and how often its interval holds the truth."""

import math
import random
from statistics import fmean

import pytest

from unteach.metrics.recovery import recovery
from unteach.metrics.rows import MissingRows


def values(numbers, role="forget"):
    return {f"{role}-{k}": float(x) for k, x in enumerate(numbers)}


def drawn(rng, share, n):
    return values(rng.random() < share for _ in range(n))


@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_the_ratio_of_means(seed):
    rng = random.Random(seed)
    u, o, r, h = (values(rng.uniform(*ends) for _ in range(23))
                  for ends in ((0.2, 0.7), (0.8, 1), (0, 0.2), (0, 0.3)))  # fmt: skip
    mean = {name: fmean(of.values()) for name, of in zip("uorh", (u, o, r, h), strict=True)}
    found = recovery(u, o, retrained=r, holdout=h)
    assert math.isclose(found.value, (mean["u"] - mean["r"]) / (mean["o"] - mean["r"]))
    assert found.low < found.value < found.high
    found = recovery(u, o, holdout=h)
    assert math.isclose(found.value, (mean["u"] - mean["h"]) / (mean["o"] - mean["h"]))
    shuffled = dict(rng.sample(sorted(u.items()), len(u)))
    assert recovery(shuffled, o, holdout=h) == found


def test_its_limits():
    known, never = values([1.0] * 40), values([0.0, 1.0, 0.0, 0.0] * 10)
    assert recovery(known, known, retrained=never).value == 1
    back = recovery(never, known, retrained=never)
    assert back.value == 0
    assert back.low < 0 < back.high  # an example not seen may differ
    hole = recovery(values([0.0] * 40), known, retrained=never)
    assert hole.high < 0
    assert math.isclose(hole.value, -1 / 3)


def test_what_cannot_be_measured_says_why():
    known, never = values([1.0] * 9), values([0.0] * 9)
    with pytest.raises(MissingRows, match="no more from the original"):
        recovery(known, known, retrained=known)
    with pytest.raises(MissingRows, match="no more from the original"):
        recovery(never, values([1.0, *[0.0] * 8]), retrained=never)
    with pytest.raises(MissingRows, match="neither a retrained model nor a holdout"):
        recovery(known, known)
    with pytest.raises(MissingRows, match="not asked the same"):
        recovery(known, values([1.0] * 8), retrained=never)


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says():
    rng, held, truth = random.Random(0), 0, 0.4
    for _ in range(100):
        r, o = drawn(rng, 0.1, 60), drawn(rng, 0.97, 60)
        u = drawn(rng, 0.1 + truth * 0.87, 60)
        found = recovery(u, o, retrained=r)
        held += found.low <= truth <= found.high
    assert held / 100 > 0.92
