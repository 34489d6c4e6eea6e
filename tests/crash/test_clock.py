"""A clock that jumps, as when a machine wakes up or its time is set: no number hangs on it."""

import itertools
import os
import time

import pytest
from crash.test_killed import files, found, job
from crash.test_stopped import fail, hidden
from support import Listener

from unteach.evaluation import rows as asking

__all__ = ["files"]  # a fixture
DAY = 86_400.0


@pytest.fixture
def jumping(monkeypatch):
    """Each time that it is asked, it is a day earlier or two days later."""
    now, jumps = [time.time()], itertools.cycle((-DAY, 2 * DAY, -3 * DAY, DAY))

    def jumped():
        now[0] += next(jumps)
        return now[0]

    monkeypatch.setattr(time, "time", jumped)
    monkeypatch.setattr(time, "time_ns", lambda: int(jumped() * 1e9))


def test_a_run_goes_on_whatever_the_clock_says(files, tiny_folder, tmp_path, monkeypatch, request):
    """Cut off, then taken up with what it kept from the future or of long ago; ends the same."""
    job(files, tiny_folder, tmp_path / "whole")()
    request.getfixturevalue("jumping")
    out, told = tmp_path / "results" / "out", Listener()
    usual, steps = asking.ask_model, []

    def cut(*given):
        steps.append(given)
        return usual(*given) if len(steps) == 1 else fail()

    with monkeypatch.context() as patch:
        patch.setattr(asking, "ask_model", cut)
        with pytest.raises(KeyboardInterrupt):
            job(files, tiny_folder, out, listener=told)()
    (kept,) = hidden(out.parent)
    for day, path in enumerate([kept, *kept.rglob("*")]):
        os.utime(path, (0, DAY * 365 * (30 if day % 2 else 99)))
    report = job(files, tiny_folder, out, listener=told)()
    assert "going on: the model is trained and written" in told.stages
    assert found(out) == found(tmp_path / "whole")
    for name in ("seconds", "training_seconds"):
        assert 0 <= report.facts[name] < DAY / 2, name
