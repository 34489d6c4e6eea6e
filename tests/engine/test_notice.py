"""SIGTERM asks for an end: once, and only where nobody else sees to it."""

import signal
import threading

import pytest

from unteach.engine.notice import Notice


def handler():
    return signal.getsignal(signal.SIGTERM)


def test_the_second_ends_the_process():
    with Notice() as notice:
        assert not notice.asked
        signal.raise_signal(signal.SIGTERM)
        assert notice.asked
        assert handler() is signal.SIG_DFL
    assert handler() is signal.SIG_DFL


def test_afterwards_all_is_as_it_was():
    with pytest.raises(SystemExit), Notice() as notice:
        notice.leave()
    assert handler() is signal.SIG_DFL


def test_a_program_that_sees_to_it_itself_is_let_be():
    seen = []
    signal.signal(signal.SIGTERM, lambda *given: seen.append(1))
    try:
        with Notice() as notice:
            signal.raise_signal(signal.SIGTERM)
        assert seen == [1]
        assert not notice.asked
        assert handler() is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_in_a_thread_and_unless_wanted_nothing_is_changed():
    found = []

    def look():
        with Notice():
            found.append(handler())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    with Notice(wanted=False):
        found.append(handler())
    assert found == [signal.SIG_DFL] * 2
