"""How a score moves over several requests."""

import math

import pytest

from unteach.nouns import Score
from unteach.suites._protocol import change, steps


def test_the_table_of_three_models_by_hand():
    """0.6, 0.5, 0.2: changes since the original -0.1, -0.4, since the one before -0.1, -0.3.

    Of the last since the original: down hypot(0.2 - 0.1, 0.7 - 0.6) = 0.1 * sqrt(2), so the
    interval is -0.4 less that, to -0.4 and hypot(0.3 - 0.2, 0.6 - 0.5) = 0.1 * sqrt(2).
    """
    table = steps(
        [
            ("original", Score(0.6, 10, 0.5, 0.7)),
            ("request 1", Score(0.5, 10, 0.4, 0.6)),
            ("request 2", Score(0.2, 10, 0.1, 0.3)),
        ]
    )
    first, second, third = table
    assert [step.label for step in table] == ["original", "request 1", "request 2"]
    assert (first.since_original, first.since_last) == (None, None)
    assert second.since_original == second.since_last
    assert second.since_last is not None
    assert second.since_last.value == pytest.approx(-0.1)
    assert second.since_last.inside is True
    assert third.since_original is not None
    assert third.since_last is not None
    assert third.since_original.value == pytest.approx(-0.4)
    assert third.since_original.low == pytest.approx(-0.4 - 0.1 * math.sqrt(2))
    assert third.since_original.high == pytest.approx(-0.4 + 0.1 * math.sqrt(2))
    assert third.since_original.inside is False
    assert third.since_last.value == pytest.approx(-0.3)


def test_unequal_arms_meet_the_end_they_belong_to():
    """From 0.5 (0.4 to 0.8) to 0.9 (0.6 to 1.0), 0.4 apart.

    The least the change can be is with the later one low (0.3 under) and the earlier one high
    (0.3 over): 0.4 - hypot(0.3, 0.3); the most with arms 0.1 and 0.1: 0.4 + hypot(0.1, 0.1).
    """
    moved = change(Score(0.5, low=0.4, high=0.8), Score(0.9, low=0.6, high=1.0))
    assert moved is not None
    assert moved.low == pytest.approx(0.4 - math.hypot(0.3, 0.3))
    assert moved.high == pytest.approx(0.4 + math.hypot(0.1, 0.1))


def test_turned_round_the_change_turns_its_sign_and_its_ends():
    one, two = Score(0.5, low=0.3, high=0.8), Score(0.9, low=0.6, high=1.0)
    there, back = change(one, two), change(two, one)
    assert there is not None
    assert back is not None
    assert there.low is not None
    assert there.high is not None
    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low)
    )


def test_no_interval_where_a_score_has_none():
    moved = change(Score(0.5, low=0.4, high=0.6), Score(0.7))
    assert moved is not None
    assert moved.value == pytest.approx(0.2)
    assert (moved.low, moved.high, moved.inside) == (None, None, None)


def test_nothing_moves_from_or_to_what_is_not_measurable():
    table = steps([("a", Score(0.5)), ("b", Score(None, note="why")), ("c", Score(0.25))])
    assert [step.since_last for step in table] == [None, None, None]
    assert table[1].since_original is None
    assert table[2].since_original is not None
    assert table[2].since_original.value == -0.25


def test_no_change_is_inside_and_an_empty_table_is_empty():
    same = Score(0.5, low=0.4, high=0.6)
    moved = change(same, same)
    assert moved is not None
    assert moved.inside is True
    assert steps([]) == []
