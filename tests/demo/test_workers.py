"""Jobs side by side: what comes back, and what is left when one fails."""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unteach.demo.workers import Workers
from unteach.errors import UserError


class Noted:
    """A board that keeps what it was shown."""

    def __init__(self):
        self.shown = []

    def begin(self, name):
        self.shown.append(("begin", name))

    def move(self, name, done, total, detail):
        self.shown.append(("move", name))

    def end(self, name):
        self.shown.append(("end", name))


class Printed(Noted):
    """A board for a process that is read from outside."""

    def move(self, name, done, total, detail):
        os.write(1, f"{done}\n".encode())


@pytest.fixture
def chores(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("chores")
    sys.modules.pop("chores", None)


def test_results_come_by_name_and_an_error_comes_whole(chores):
    board = Noted()
    with Workers(1, board) as pool:
        found = pool.run({"b": (chores.count, (5000,)), "a": (chores.count, (3,))})
        assert list(found.items()) == [("b", 5000), ("a", 3)]
        with pytest.raises(UserError) as caught:
            pool.run({"c": (chores.refuse, ("data.jsonl:3",))})
        pool.run({"d": (chores.count, (2,))})
    [problem] = caught.value.problems
    assert (problem.where, problem.kind) == ("data.jsonl:3", "request")
    for name in ("a", "b", "d"):
        events = [event for event, shown in board.shown if shown == name]
        assert events[0] == "begin"
        assert events.count("end") == 1
        assert events[-1] == "end"  # a bar that is full does not move back
    assert ("move", "b") in board.shown


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_process_is_told_in_words(chores):
    with pytest.raises(UserError) as caught, Workers(1, Noted()) as pool:
        pool.run({"training": (chores.be_killed, ())})
    [problem] = caught.value.problems
    assert "training" in problem.where
    assert "--workers" in problem.hint
    assert caught.value.exit_code == 1


@pytest.mark.skipif(os.name == "nt", reason="a process is looked up by a signal")
def test_ctrl_c_leaves_no_process(chores):
    found = []

    class Impatient(Noted):
        def move(self, name, done, total, detail):
            found.append(done)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Workers(1, Impatient()) as pool:
        pool.run({"training": (chores.linger, ())})
    with pytest.raises(ProcessLookupError):
        os.kill(found[0], 0)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_workers_end_with_a_parent_that_was_killed():
    code = (
        "import chores\n"
        "from test_workers import Printed\n"
        "from unteach.demo.workers import Workers\n"
        "with Workers(1, Printed()) as pool:\n"
        "    pool.run({'training': (chores.linger, ())})\n"
    )
    here = str(Path(__file__).parent)
    command, env = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": here}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        try:
            # The worker has the same standard output, which is at its end when both are gone.
            parent.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.kill(worker, signal.SIGKILL)
            pytest.fail("the worker outlived its parent")
