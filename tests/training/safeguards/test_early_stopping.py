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
