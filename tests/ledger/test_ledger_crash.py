"""Killed, failed or in another's way: a ledger has all of a change, or nothing."""

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from itertools import count
from pathlib import Path

import pytest
from crash.disks import fill, mounted
from crash.runs import forked
from ledger.books import DAY, RECORDS, added, ledger_in, prints

from unteach.errors import UserError
from unteach.ledger import Ledger, book, store

forks = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="forks")
CHANGES = {
    "add": lambda f: added(f, "R-9"),
    "withdraw": lambda f: _with(f, lambda ledger: ledger.withdraw("R-1")),
    "derive": lambda f: _with(f, lambda ledger: ledger.derive("c", ["a", "b"], "merge")),
    "recheck": lambda f: _with(f, lambda ledger: ledger.rechecked("m", 3, 0, likelier=False)),
    "record": lambda f: _with(f, lambda ledger: ledger.record("c", "a", ["R-1"], "npo", {})),
}


def _with(file, work):
    with Ledger(file) as ledger:
        work(ledger)


def said(file):
    """All that a ledger says; it holds together, or this fails."""
    with Ledger(file) as ledger:
        state, found = ledger.state(), ledger.prints()
        counted = ledger._connection.execute("SELECT count(*) FROM prints").fetchone()
    assert counted[0] == sum(map(len, found.values()))
    states = {r.reference: r.state for r in state.requests.values()}
    return (
        states,
        len(state.rechecks),
        {m: (link.parents, link.by) for m, link in state.links.items()},
    )


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "_now", lambda: {"clock": "then"})
    made = ledger_in(tmp_path)
    added(made)
    return made


def copied(file, name):
    """A ledger that nobody has open, once more."""
    folder = file.parent / name
    folder.mkdir()
    shutil.copy(file.with_name(f"{file.name}.key"), folder)
    return Path(shutil.copy(file, folder))


class Failing(sqlite3.Connection):
    left = 0

    def execute(self, *arguments):
        self._count()
        return super().execute(*arguments)

    def executemany(self, *arguments):
        self._count()
        return super().executemany(*arguments)

    def _count(self):
        Failing.left -= 1
        if not Failing.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("change", CHANGES)
def test_stopped_at_any_statement_it_is_as_before(file, monkeypatch, change):
    before, whole = said(file), copied(file, "whole")
    CHANGES[change](whole)
    after = said(whole)
    assert before != after
    monkeypatch.setattr(store, "FACTORY", Failing)
    for statement in count(1):
        Failing.left = statement
        try:
            CHANGES[change](file)
        except KeyboardInterrupt:
            Failing.left = 0
            if change == "withdraw" and said(file) == after:
                break  # all is written, and its log not yet cut off
            assert said(file) == before, statement
        else:
            break
    Failing.left = 0
    assert statement > 8
    assert said(file) == after


def test_after_a_failure_the_same_ledger_goes_on(file, monkeypatch):
    with Ledger(file) as ledger:
        ledger.requests()
        with pytest.raises(UserError, match="already"):
            _twice(ledger)
        assert [r.reference for r in ledger.requests()] == ["R-1"]
        assert ledger.add("R-2", "erasure", DAY, None, [], 0).entry == 3


def _twice(ledger):
    with ledger.writing():
        for _ in range(2):
            ledger.add("R-2", "erasure", DAY, None, [], 0)


def _write_many(file, name, times):
    for number in range(times):
        added(file, f"{name}-{number}")


def test_several_writers(file):
    kind = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    others = [kind.Process(target=_write_many, args=(file, name, 10)) for name in "abc"]
    for other in others:
        other.start()
    for other in others:
        other.join()
    states, *_ = said(file)
    assert len(states) == 31


def test_who_waits_too_long_is_told(file, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    with Ledger(file) as one, one.writing(), pytest.raises(UserError, match="has been locked"):
        added(file, "R-2")


def test_a_full_database_is_told_and_is_as_before(file, monkeypatch):
    before = said(file)
    rows = RECORDS * 200
    with Ledger(file) as ledger:
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(UserError, match="the disk is full"):
            ledger.add("R-2", "erasure", DAY, None, prints(file, rows), len(rows))
    assert said(file) == before


@forks
def test_a_full_disk_is_told_and_the_ledger_is_as_before(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()

    def work():
        if not mounted(disk, 4):
            os._exit(77)
        made = ledger_in(disk)
        added(made)
        before = said(made)
        many = prints(made, RECORDS * 500)
        fill(disk, 65536)
        with Ledger(made) as ledger, pytest.raises(UserError, match="full"):
            ledger.add("R-2", "erasure", DAY, None, many, 1500)
        fill(disk, 131072)  # SQLite wants some room to read, too
        assert said(made) == before
        os._exit(3)

    code = forked(work, log=tmp_path / "log")
    if code == 77:
        pytest.skip("no disk of one's own can be mounted here")
    assert code == 3, (tmp_path / "log").read_text()


def _all_changes(file):
    """One after the other, for as long as it is let."""
    for number in count():
        added(file, f"R-{number}x")
        with Ledger(file) as ledger:
            ledger.derive(f"m{number + 1}", [f"m{number}"], "finetune")
            ledger.record(f"u{number}", f"m{number}", [f"R-{number}x"], "npo", {})
        added(file, f"W-{number}")
        with Ledger(file) as ledger:
            ledger.withdraw(f"W-{number}")


@forks
@pytest.mark.slow
def test_killed_at_any_moment_it_holds_together(tmp_path):
    draw = random.Random(0)
    for turn in range(30):
        folder = tmp_path / str(turn)
        folder.mkdir()
        made = ledger_in(folder)
        number = os.fork()
        if not number:
            try:
                _all_changes(made)
            finally:
                os._exit(1)
        time.sleep(draw.uniform(0.01, 0.3))
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        states, _, links = said(made)
        done = {r for r, state in states.items() if state == "done"}
        assert len(done) == sum(by == "unlearn" for _, by in links.values())
        added(made, "after")
        shutil.rmtree(folder)


@forks
@pytest.mark.slow
def test_killed_while_it_is_made_it_is_whole_or_not_there(tmp_path):
    draw, made_whole = random.Random(1), 0
    for turn in count():  # later and later, until it is done before
        folder = tmp_path / str(turn)
        folder.mkdir()
        number = os.fork()
        if not number:
            try:
                ledger_in(folder)
            finally:
                os._exit(1)
        time.sleep(draw.uniform(0, 0.004 * turn))
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        file = folder / "removals.ledger"
        if file.exists():
            made_whole += 1
        else:
            ledger_in(folder)
        added(file)
        if made_whole == 5:
            break
    assert turn > made_whole
