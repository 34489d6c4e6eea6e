"""SIGTERM asks for an end: once, and only where nobody else sees to it."""

import signal
import threading
from types import SimpleNamespace

import pytest

from unteach.training.resume.checkpoints import CheckpointPace
from unteach.training.safeguards import sigterm as place
from unteach.training.safeguards.sigterm import ECHO, SigtermNotice


def handler():
    return signal.getsignal(signal.SIGTERM)


def end():
    signal.raise_signal(signal.SIGTERM)


def test_before_it_listens_nothing_is_changed():
    with SigtermNotice() as notice:
        assert handler() is signal.SIG_DFL
        notice.listen()
        assert handler() is not signal.SIG_DFL
        assert not notice.asked
    assert handler() is signal.SIG_DFL


def test_a_pace_listens_from_the_first_step_on_where_there_are_checkpoints():
    for minutes, listens in ((10, True), (0, False)):
        with SigtermNotice() as notice:
            pace = CheckpointPace(None, minutes, "", notice=notice)
            assert handler() is signal.SIG_DFL
            pace.on_train_begin(None, SimpleNamespace(), SimpleNamespace())
            assert (handler() is not signal.SIG_DFL) == listens


def heard(after=lambda: None):
    """A notice that was given, and then what happens."""
    with SigtermNotice() as notice:
        notice.listen()
        end()
        assert notice.asked
        after()


def test_one_that_a_launcher_passes_on_is_the_same_and_a_later_one_ends_the_process(monkeypatch):
    now, raised, usual = [100.0], [], signal.raise_signal
    monkeypatch.setattr(place.time, "monotonic", lambda: now[0])

    def again():
        monkeypatch.setattr(signal, "raise_signal", lambda number: raised.append(handler()))
        for later in (0.0, ECHO):
            now[0] = 100.0 + later
            usual(signal.SIGTERM)
            assert not raised
        now[0] = 100.1 + ECHO
        usual(signal.SIGTERM)

    with pytest.raises(SystemExit):
        heard(again)
    assert raised == [signal.SIG_DFL]


def test_heard_when_there_was_no_step_to_end_after_it_ends_the_process_yet():
    """Else the run went on to the next stage, and was killed there."""
    with pytest.raises(SystemExit) as left:
        heard()
    assert left.value.code == 143
    assert handler() is signal.SIG_DFL


def test_an_error_is_told_rather_than_the_notice():
    with pytest.raises(ZeroDivisionError):
        heard(lambda: 1 / 0)
    assert handler() is signal.SIG_DFL


def test_a_program_that_sees_to_it_itself_is_let_be():
    seen = []
    signal.signal(signal.SIGTERM, lambda *given: seen.append(1))
    try:
        with SigtermNotice() as notice:
            notice.listen()
            end()
        assert seen == [1]
        assert not notice.asked
        assert handler() is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_in_a_thread_nothing_is_changed():
    found = []

    def look():
        with SigtermNotice() as notice:
            notice.listen()
            found.append(handler())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]
