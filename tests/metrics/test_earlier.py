"""Earlier requests: one came back only where its records rose beyond chance."""

import math

import pytest

from unteach.metrics.earlier import EarlierRequest, measured_earlier
from unteach.types import Row


def rows(name, ps, *, given=()):
    return [
        Row(id=f"{name}-{k}", tokens=9, logp=math.log(p), verbatim=k in given, zlib=40)
        for k, p in enumerate(ps)
    ]


HOLDOUT = rows("holdout", [0.05, 0.1, 0.15, 0.2, 0.1, 0.12, 0.08, 0.18, 0.11, 0.14])
BEFORE = [0.1, 0.12, 0.08, 0.15, 0.1, 0.09]


def found(after, *, given=(), before=BEFORE, already=()):
    models = {
        "original": {"earlier-1": rows("earlier-1", before, given=already), "holdout": HOLDOUT},
        "unlearned": {"earlier-1": rows("earlier-1", after, given=given), "holdout": HOLDOUT},
    }
    (one,) = measured_earlier(models, [EarlierRequest(name="R-1", group="earlier-1", records=6)])
    return one


def test_what_rises_in_all_records_came_back():
    one = found([0.5, 0.6, 0.55, 0.45, 0.5, 0.52], given=(0, 1))
    assert one.resurfaced
    assert one.rise == pytest.approx(sum((0.5, 0.6, 0.55, 0.45, 0.5, 0.52)) / 6 - sum(BEFORE) / 6)
    assert one.rise_low is not None
    assert 0 < one.rise_low < one.rise


def test_one_guess_among_records_that_stay_is_chance():
    one = found([0.1, 0.11, 0.09, 0.15, 0.11, 0.6], given=(5,))
    assert one.after is not None
    assert one.after.found, "the state alone says that it is known"
    assert one.rise_low is not None
    assert one.rise_low < 0
    assert not one.resurfaced


def test_what_was_known_before_did_not_come_back_by_this_run():
    one = found([0.9] * 6, given=(0,), before=[0.8] * 6, already=(0,))
    assert one.known_before
    assert not one.resurfaced


def test_of_two_records_no_spread_is_told():
    one = found([0.5, 0.6], given=(0, 1), before=[0.1, 0.1])
    assert (one.rise, one.rise_low) == (pytest.approx(0.45), None)
    assert one.resurfaced
