"""When training stops."""

import pytest

from unteach.training.safeguards.early_stopping import EarlyStopping


def test_stops_only_when_all_forget_answers_were_seen():
    monitor = EarlyStopping(3, stop_at=0.2)
    monitor.see({0: 0.1, 1: 0.1})
    assert not monitor.done()
    monitor.see({2: 0.3})
    assert monitor.done()
    assert "0.167" in monitor.reason


def test_a_later_look_replaces_an_earlier_one():
    monitor = EarlyStopping(1, stop_at=0.2)
    monitor.see({0: 0.9})
    assert not monitor.done()
    monitor.see({0: 0.1})
    assert monitor.probability == pytest.approx(0.1)
    assert monitor.done()


def test_never_stops_when_not_asked():
    monitor = EarlyStopping(1, stop_at=None)
    monitor.see({0: 0.0})
    assert not monitor.done()


def seen_in(batches, forget):
    monitor = EarlyStopping(forget, stop_at=None)
    for batch in batches:
        monitor.see(batch)
    return monitor


def test_the_curve_has_a_point_for_each_pass_however_batches_are_cut():
    """A batch that reaches into the next pass belongs to the one that it ends."""
    passes = [dict.fromkeys(range(9), p) for p in (0.9, 0.5, 0.004)]
    wanted = [0.9, 0.5, 0.004]
    assert seen_in(passes, 9).curve == wanted
    one_by_one = [{k: p} for each in passes for k, p in each.items()]
    assert seen_in(one_by_one, 9).curve == wanted
    backwards = [{k: p} for each in passes for k, p in reversed(each.items())]
    assert seen_in(backwards, 9).curve == wanted
    assert seen_in([*passes, {0: 0.1}], 9).curve == wanted  # a pass that is not whole


def test_the_curve_of_many_passes_is_thinned_and_keeps_its_end():
    found = seen_in([dict.fromkeys(range(8), n / 100) for n in range(10, 100)], 8).curve
    assert len(found) == 30
    assert found[-1] == 0.99
    assert found == sorted(found)


def test_few_answers_have_no_curve():
    """The mean of a few answers reveals them as their own probabilities would."""
    assert seen_in([dict.fromkeys(range(7), 0.5)] * 3, 7).curve == []
