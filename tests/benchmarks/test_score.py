"""The number that settings of the benchmarks are chosen by."""

import pytest
import score

FORGET = ("forget probability", "forget ROUGE-L", "extraction strength")
ORIGINAL = {**dict.fromkeys(FORGET, 0.9), "membership AUC": 1.0, "utility": 0.8}
RETRAINED = {**dict.fromkeys(FORGET, 0.1), "membership AUC": 0.5, "utility": 0.7}


def test_the_original_forgot_nothing_and_the_retrained_all():
    before = score.scores(ORIGINAL, ORIGINAL, RETRAINED, ["utility"])
    never = score.scores(RETRAINED, ORIGINAL, RETRAINED, ["utility"])
    assert before == {"total": 0.0, "M": 0.0, "P": 0.0, "U": 1.0}
    assert never["M"] == never["P"] == 1
    assert never["U"] == pytest.approx(7 / 8)
    assert never["total"] == pytest.approx(3 / (1 + 1 + 8 / 7))


def test_halfway_in_all_parts():
    middle = {**dict.fromkeys(FORGET, 0.5), "membership AUC": 0.75, "utility": 0.4}
    found = score.scores(middle, ORIGINAL, RETRAINED, ["utility"])
    assert found == pytest.approx({"total": 0.5, "M": 0.5, "P": 0.5, "U": 0.5})


def test_one_broken_part_breaks_the_total():
    broken = {**dict.fromkeys(FORGET, 0.0), "membership AUC": 0.5, "utility": 0.0}
    found = score.scores(broken, ORIGINAL, RETRAINED, ["utility"])
    assert (found["M"], found["P"], found["U"], found["total"]) == (1, 1, 0, 0)


def test_over_forgetting_costs_privacy_not_memorisation():
    over = {**dict.fromkeys(FORGET, 0.0), "membership AUC": 0.1, "utility": 0.8}
    found = score.scores(over, ORIGINAL, RETRAINED, ["utility"])
    assert (found["M"], found["P"]) == pytest.approx((1, 0.2))


def test_better_than_the_original_is_no_more_than_whole():
    better = {**RETRAINED, "utility": 0.95}
    assert score.scores(better, ORIGINAL, RETRAINED, ["utility"])["U"] == 1


def test_what_the_original_never_had_cannot_be_left():
    assert score.gone(0.3, original=0.1, retrained=0.2) == 1
