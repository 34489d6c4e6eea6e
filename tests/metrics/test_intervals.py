"""Intervals hold the truth about as often as they say."""

import math
import random

import pytest

from unteach.metrics import intervals
from unteach.metrics.intervals import mean_score, share_score


@pytest.mark.parametrize("many", [2000, 10], ids=["bootstrap", "limit"])
def test_intervals_cover_the_truth(monkeypatch, many):
    """Of 200 samples of a known mean, the 95% interval holds it about 95 times in 100."""
    monkeypatch.setattr(intervals, "MANY", many)
    rng = random.Random(0)
    scores = [mean_score([rng.random() for _ in range(40)]) for _ in range(200)]
    covered = sum(s.low <= 0.5 <= s.high for s in scores)
    assert 180 <= covered <= 199


def test_shares_are_covered_too():
    rng = random.Random(0)
    scores = [share_score([rng.random() < 0.05 for _ in range(40)]) for _ in range(400)]
    assert 360 <= sum(s.low <= 0.05 <= s.high for s in scores) <= 399


def test_shares_are_wilsons_equation():
    """The ends solve (p - share)^2 = z^2 p (1 - p) / n."""
    found = share_score([True] * 3 + [False] * 7)
    for p in (found.low, found.high):
        assert (p - 0.3) ** 2 == pytest.approx(1.959964**2 * p * (1 - p) / 10)
    assert (share_score([True] * 5).value, share_score([True] * 5).high) == (1.0, 1.0)
    assert 0 < share_score([True] * 5).low < 0.6


def test_weighted_means():
    values, weights = [1.0, 2.0, 4.0], [1.0, 3.0, 4.0]
    found = mean_score(values, weights)
    assert found.value == pytest.approx(23 / 8)
    assert mean_score(values[::-1], weights[::-1]) == found
    repeated = mean_score([1.0, 2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0])
    assert repeated.value == pytest.approx(found.value)
    assert 1.0 <= found.low < found.value < found.high <= 4.0


def test_both_ways_agree(monkeypatch):
    rng = random.Random(1)
    values = [rng.random() for _ in range(500)]
    weights = [float(rng.randint(1, 20)) for _ in values]
    drawn = mean_score(values, weights)
    monkeypatch.setattr(intervals, "MANY", 10)
    limit = mean_score(values, weights)
    assert limit.value == drawn.value
    assert limit.low == pytest.approx(drawn.low, abs=0.005)
    assert limit.high == pytest.approx(drawn.high, abs=0.005)


def test_no_interval_where_resampling_cannot_tell():
    assert mean_score([0.3]).low is None
    assert mean_score([0.3] * 9).high is None
    assert math.isnan(mean_score([math.nan, 0.5]).value)
    assert mean_score([math.nan, 0.5]).low is None
