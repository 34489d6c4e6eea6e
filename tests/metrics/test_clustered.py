"""Intervals over persons: wider where answers about one person go together."""

import random
from statistics import fmean

import pytest

from unteach.metrics.clustered import (
    by_person,
    clustered_auc,
    clustered_mean,
    clustered_tpr,
    predicted_top,
)
from unteach.metrics.intervals import mean_score
from unteach.metrics.roc import auc, tpr


def world(draw, persons, each, spread):
    """Values of persons who differ by `spread`; a record differs by 0.05 more."""
    found = {}
    for k in range(persons):
        own = draw.gauss(0.5, spread)
        found[str(k)] = [min(max(draw.gauss(own, 0.05), 0), 1) for _ in range(each)]
    return found


def test_a_person_new_to_the_holdout_is_below_the_top_39_times_in_40():
    """Over records the same level would be passed far more often."""
    draw, above, naive, runs = random.Random(0), 0, 0, 2000
    for _ in range(runs):
        *holdout, new = world(draw, 7, 20, 0.1).values()
        new = fmean(new)
        above += new > predicted_top(dict(enumerate(holdout)), 1)
        flat = mean_score([x for values in holdout for x in values])
        naive += new > flat.value + (flat.high - flat.value) * (1 + 120 / 20) ** 0.5
    assert above / runs == pytest.approx(0.025, abs=0.011)
    assert naive / runs > 0.15


def test_many_new_persons_are_nearer_to_the_mean_than_one():
    groups = world(random.Random(1), 8, 20, 0.1)
    tops = [predicted_top(groups, n) for n in (1, 2, 8, 10_000)]
    assert tops == sorted(tops, reverse=True)
    assert tops[-1] > fmean(map(fmean, groups.values()))
    assert predicted_top(dict(list(groups.items())[:2]), 1) is None


def test_the_mean_is_that_of_all_records_and_its_interval_that_of_persons():
    groups = {**world(random.Random(2), 5, 20, 0.2), "one": [0.5]}
    flat = [x for values in groups.values() for x in values]
    plain, found = mean_score(flat), clustered_mean(groups)
    assert found.value == plain.value == pytest.approx(fmean(flat))
    assert found.low < plain.low < plain.high < found.high
    alone = {str(k): [x] for k, x in enumerate(flat)}
    same = clustered_mean(alone)
    assert (same.low, same.high) == pytest.approx((plain.low, plain.high))


def test_a_record_without_a_person_is_one_of_its_own():
    assert by_person({"a": 1, "b": 2, "c": 3}, {"c": "x", "a": "x"}) == {"x": [1, 3], "b": [2]}


def test_the_auc_over_persons_is_never_narrower():
    ours, theirs = {"a": [2.0, 0.5], "b": [2.0, 0.5]}, {"c": [0.0, 1.0], "d": [0.0, 1.0]}
    plain = auc([2.0, 0.5, 2.0, 0.5], [0.0, 1.0, 0.0, 1.0])
    found = clustered_auc(ours, theirs)
    assert found.low <= plain.low < plain.high <= found.high


def test_the_share_found_over_persons_is_wider_where_one_person_is_found_whole():
    """All that is found is about one of four persons, who may be drawn twice or not at all."""
    ours = {str(k): [5.0 if k == 0 else 0.0] * 20 for k in range(4)}
    theirs = {f"h{k}": [k / 100 + n / 1000 for n in range(20)] for k in range(10)}
    flat = [[x for values in side.values() for x in values] for side in (ours, theirs)]
    plain, found = tpr(*flat), clustered_tpr(ours, theirs)
    assert found.value == plain.value == 0.25
    assert found.low <= plain.low < plain.high < found.high
    assert found.high >= 0.5
