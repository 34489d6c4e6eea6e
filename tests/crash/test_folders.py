"""Output folders of processes that are killed or hindered: the old or the new stands there."""

import errno
import os
import signal
import sys
from contextlib import suppress

import pytest
from crash.runs import counting, forked, killed_at

from unteach.errors import UserError
from unteach.files import check_out, locks, overlap, recover, staged, working
from unteach.files import run_folder as work
from unteach.files import work_folders as folders

forks = pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform == "darwin", reason="it forks processes to kill"
)


@pytest.fixture
def out(tmp_path):
    """Not there yet; nothing else is beside it."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "out"


def make(out, text="new", *, overwrite=False):
    with staged(out, overwrite=overwrite) as folder:
        (folder / "a").write_text(text)
        (folder / "b").write_text(text)


def do(out, identity="one", *, overwrite=False, then=lambda: None):
    """A run, from where it was cut; what it says of others."""
    said = []
    with working(out, identity, said.append, overwrite=overwrite) as found:
        if found.trained() is None:
            (found.begin() / "a").write_text(identity)
            found.keep({"steps": 1})
        if not found.placed:
            (found.result / "b").write_text(identity)
        then()
    return said


def held(out):
    return {file.name: file.read_text() for file in out.iterdir()}


def names(folder):
    return {path.name for path in folder.iterdir()}


def die(*given, **options):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_clearing_up(out, identity="one"):
    """A run whose result is in its place, and which is killed before it is over."""

    def run():
        work.leave = die
        do(out, identity)

    assert forked(run) == -signal.SIGKILL
    assert held(out) == dict.fromkeys("ab", identity)
    assert len(names(out.parent)) == 2


@pytest.mark.slow
@forks
@pytest.mark.parametrize("there", [False, True], ids=["new", "overwritten"])
@pytest.mark.parametrize("job", [make, do])
def test_killed_anywhere_it_is_the_old_or_the_new_and_nothing_stays(job, there, tmp_path):
    def fresh(name):
        out = tmp_path / name / "out"
        out.parent.mkdir()
        if there:
            make(out, "old")
        return out

    text, count = "new" if job is make else "one", tmp_path / "count"
    out = fresh("whole")
    assert forked(counting(out.parent, lambda: job(out, overwrite=there), count)) == 0
    assert held(out) == {"a": text, "b": text}
    states = set()
    for moment in range(int(count.read_text())):
        out = fresh(str(moment))
        kill = killed_at(moment, out.parent, lambda out=out: job(out, overwrite=there))
        assert forked(kill) == -signal.SIGKILL
        recover(out)
        found = held(out)["a"] if out.exists() else ""
        assert not found or held(out) == {"a": found, "b": found}, moment
        states.add(found)
        if job is make:
            assert names(out.parent) <= {"out"}, moment
        job(out, overwrite=there or bool(found))
        assert held(out) == {"a": text, "b": text}, moment
        assert names(out.parent) == {"out"}, moment
    assert states == {"old" if there else "", text}


@pytest.mark.parametrize("job", [make, do])
def test_ctrl_c_between_the_two_renames_gives_the_old_back(job, out, monkeypatch):
    make(out, "old")
    replace = os.replace

    def stopped(source, target):
        if target == out and source.name == folders.RESULT:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(folders.os, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            job(out, overwrite=True)
    assert held(out) == {"a": "old", "b": "old"}


@pytest.mark.parametrize("name", [".out.partial-notes", ".out.partial-a1b2c3", ".out.partial-41"])
def test_folders_of_others_are_let_be(name, out):
    """Though they are called like ours: ours have a lock."""
    other = out.parent / name
    other.mkdir()
    (other / "note").write_text("mine")
    recover(out)
    make(out)
    do(out, overwrite=True)
    assert held(other) == {"note": "mine"}
    assert names(out.parent) == {"out", name}


@forks
def test_another_request_does_not_take_what_a_killed_one_made_for_its_own(out):
    killed_clearing_up(out)
    with pytest.raises(UserError, match="is not empty"):
        do(out, "two")
    assert held(out) == {"a": "one", "b": "one"}
    do(out, "two", overwrite=True)
    with pytest.raises(UserError, match="is not empty"):
        do(out, "one")
    assert held(out) == {"a": "two", "b": "two"}
    assert check_out(out, overwrite=False)
    assert names(out.parent) == {"out"}


@forks
def test_killed_as_it_cleared_up_the_same_request_is_known_as_done(out):
    killed_clearing_up(out)
    do(out)
    assert held(out) == {"a": "one", "b": "one"}
    assert names(out.parent) == {"out"}


@forks
def test_what_was_made_and_taken_away_is_made_again(out):
    killed_clearing_up(out)
    os.rename(out, out.with_name("kept"))
    do(out)
    assert held(out) == held(out.with_name("kept")) == {"a": "one", "b": "one"}
    assert names(out.parent) == {"out", "kept"}


@forks
def test_what_a_killed_process_set_aside_is_not_replaced_unasked(out):
    """It is put back before anyone asks whether something stands there."""
    make(out, "old")
    replace = os.replace

    def run():
        folders.os.replace = lambda a, b: die() if a.name == folders.RESULT else replace(a, b)
        make(out, overwrite=True)

    assert forked(run) == -signal.SIGKILL
    assert not out.exists()
    (problem,) = check_out(out, overwrite=False)
    assert "is not empty" in problem.what
    assert held(out) == {"a": "old", "b": "old"}


@pytest.mark.parametrize("job", ["make", "do"])
def test_what_came_into_the_folder_meanwhile_is_not_replaced_unasked(job, out):
    def other():
        out.mkdir()
        (out / "a").write_text("theirs")

    with pytest.raises(UserError, match="is not empty"):  # noqa: PT012
        if job == "do":
            do(out, then=other)
        with staged(out, overwrite=False):
            other()
    assert held(out) == {"a": "theirs"}
    assert len(names(out.parent)) == (2 if job == "do" else 1)  # a run can still end
    if job == "do":
        do(out, overwrite=True)
        assert held(out) == {"a": "one", "b": "one"}


@pytest.mark.parametrize("name", ["[a]*", ".hidden", "out.partial-a1b2c3", "a b"])
def test_names_with_signs(name, out):
    out = out.with_name(name)
    for _ in range(2):
        make(out, overwrite=True)
        do(out, overwrite=True)
    assert names(out.parent) == {name}


def test_a_link_stays_one_and_the_result_is_where_it_leads(out, tmp_path):
    (tmp_path / "disk").mkdir()
    out.symlink_to(tmp_path / "disk" / "there")
    make(out)
    do(out, overwrite=True)
    assert out.is_symlink()
    assert held(tmp_path / "disk" / "there") == {"a": "one", "b": "one"}
    assert names(out.parent) == {"out"}
    assert names(tmp_path / "disk") == {"there"}


@pytest.mark.parametrize("given", [".", "..", "/", "new/.."])
def test_the_folder_one_is_in_is_not_replaced(given, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    (problem,) = check_out(Path(given), overwrite=True)
    assert "that you are in" in problem.what
    assert list(tmp_path.iterdir()) == []


def test_where_a_disk_is_mounted_no_folder_can_be_made(out, monkeypatch):
    out.mkdir()
    monkeypatch.setattr(type(out), "is_mount", lambda path: path == out)
    (problem,) = check_out(out, overwrite=True)
    assert "mounted" in problem.what
    assert check_out(out / "run", overwrite=False) == []


def test_a_disk_that_is_full_is_told_by_all_that_write_a_folder(out):
    make(out, "old")
    with (
        pytest.raises(UserError, match="the disk is full"),
        staged(out, overwrite=True),
    ):
        raise OSError(errno.ENOSPC, "no space")
    assert held(out) == {"a": "old", "b": "old"}
    assert names(out.parent) == {"out"}


def test_a_lock_on_a_file_that_is_gone_is_none(out, monkeypatch):
    """Between opening and locking, the one who held it removed the folder."""
    if locks.fcntl is None:
        pytest.skip("there are no locks here")
    out.mkdir()
    flock = locks.fcntl.flock

    def late(handle, flags):
        with suppress(FileNotFoundError):
            (out / locks.FILE).unlink()
        flock(handle, flags)

    with monkeypatch.context() as patch:
        patch.setattr(locks.fcntl, "flock", late)
        assert not locks.Lock(out).take()
    assert locks.Lock(out).take()


def test_what_was_set_aside_is_never_cleared_away(out):
    folder, lock = folders.made(out)
    (folder / folders.REPLACED).mkdir()
    (folder / folders.REPLACED / "a").write_text("old")
    folders.leave(folder, lock, out)
    assert held(out) == {"a": "old"}
    assert names(out.parent) == {"out"}


@pytest.mark.parametrize("given", ["round", "round/new", "x" * 250, "/".join(["y" * 200] * 25)])
def test_where_no_folder_can_be_made_is_told(given, tmp_path, monkeypatch):
    """A link that leads round in a circle, a name or a path too long: before anything is done."""
    from pathlib import Path

    (tmp_path / "round").symlink_to("round")
    monkeypatch.chdir(tmp_path)
    (problem,) = check_out(Path(given), overwrite=True)
    assert problem.kind == "request"
    assert "circle" in problem.what or "too long" in problem.what
    assert overlap(Path(given), [("--model", "round")]) == []
    assert names(tmp_path) == {"round"}


def test_a_link_that_leads_nowhere_yet_is_made_to_lead_there(out):
    out.symlink_to("there")
    make(out)
    assert held(out.parent / "there") == {"a": "new", "b": "new"}
    assert out.is_symlink()
