"""A disk that another fills, or that may no longer be written, at any moment of a run.

A small disk of this process's own stands for it, so what is refused is refused by the system: also
what safetensors and torch write, which no patch of Python sees.
"""

import errno
import json
import shutil
import sys

import pytest
from crash import disks
from crash.runs import counting, forked
from crash.test_killed import files, found, job, warm
from crash.test_stopped import hidden
from support import Listener

from unteach.errors import UserError
from unteach.files import in_words, recover

__all__ = ["files", "warm"]  # fixtures
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it mounts a disk")
MEGABYTES = 64
SAID = {
    "full": "the disk is full or a limit is reached",
    "nearly full": "the disk is full or a limit is reached",
    "read-only": "cannot be written to (permission denied)",
}
LEFT = {"full": 0, "nearly full": 9000}  # bytes: too few for a file of weights, enough for a record


@pytest.fixture
def disk(tmp_path):
    """A folder for it; skips where no disk can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount():
        assert disks.mounted(folder, MEGABYTES)

    if forked(mount):
        pytest.skip("no disk of one's own can be mounted here")
    return folder


def harmed(how, moment, disk, files, model):
    """A run to which it happens at that moment; then the same command again, when it is over."""
    assert disks.mounted(disk, MEGABYTES)
    out, told = disk / "out", Listener()
    if how == "read-only":
        disks.powerless()

    def harm():
        if how == "read-only":
            for folder in disks.folders(disk):
                folder.chmod(0o555)
        else:
            disks.fill(disk, LEFT[how])

    disks.at(moment, disk, harm)
    try:
        job(files, model, out, listener=told)()
        ended = None  # what was removed left room enough, or all was done
    except UserError as error:
        ended = error
    if ended:
        (problem,) = ended.problems
        assert SAID[how] in problem.what
        assert "then give the same command again" in problem.hint
        assert how == "read-only" or "make room" in problem.hint
        assert not out.exists(), "half a result stands as a whole one"
        said = " ".join(map(str, (problem, *told.problems, *told.stages)))
        assert not any(row["answer"] in said for row in forgotten(files))
    for folder in disks.folders(disk):
        folder.chmod(0o755)
    (disk / disks.FILLER).unlink(missing_ok=True)
    kept = any(disk.glob(".out.partial-*/checkpoints/checkpoint-*"))
    again = Listener()
    job(files, model, out, listener=again)()
    assert [p.name for p in disk.iterdir()] == ["out"]
    assert not kept or any(stage.startswith("going on") for stage in again.stages)
    return found(out), bool(ended)


def forgotten(files):
    return [json.loads(line) for line in (files / "forget.jsonl").read_text().splitlines()]


def swept(how, moments, disk, files, model, log):
    """At each of these moments, in a process of its own; at how many the run ended by it."""
    whole, verdict = disk.parent / "whole", disk.parent / "verdict"
    job(files, model, whole)()
    expected, ended = found(whole), 0
    for moment in moments:

        def work(moment=moment):
            came_to, stopped = harmed(how, moment, disk, files, model)
            assert came_to == expected, "another result"
            verdict.write_text("stopped" if stopped else "")

        assert forked(work, log=log) == 0, (how, moment, log.read_text()[-3000:])
        ended += verdict.read_text() == "stopped"
    return ended


def moments_of(disk, files, model):
    """How many things a run does to files."""
    count = disk.parent / "count"

    def work():
        assert disks.mounted(disk, MEGABYTES)
        counting(disk, job(files, model, disk / "out"), count)()

    assert forked(work) == 0
    return int(count.read_text())


REFUSED = {
    "full": (OSError(errno.ENOSPC, "no room"), "the disk is full", "make room"),
    "a copy of files": (
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]),
        "the disk is full", "make room",
    ),
    "of safetensors": (RuntimeError("I/O error: ... (os error 122)"), "is full", "make room"),
    "of torch": (RuntimeError("PytorchStreamWriter failed writing file"), "is full", "make room"),
    "made read-only": (OSError(errno.EROFS, "x"), "cannot be written to", "give yourself leave"),
    "broken": (OSError(errno.EIO, "x"), "the disk failed", "look at the disk"),
    "a network's": (RuntimeError("(os error 116)"), "the disk failed", "the network"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_disk_refuses_has_words(case, tmp_path):
    error, what, hint = REFUSED[case]
    with pytest.raises(UserError) as caught, in_words(tmp_path / "out", 1234):
        raise error
    (problem,) = caught.value.problems
    assert what in problem.what
    assert hint in problem.hint
    assert "then give the same command again" in problem.hint
    assert ("takes 1,234 bytes" in problem.hint) == (hint == "make room")
    for other in (shutil.Error([("a", "b", "c")]), ValueError("28")):
        with pytest.raises(type(other)), in_words(tmp_path / "out"):
            raise other


@pytest.mark.slow
@pytest.mark.parametrize("how", SAID)
def test_a_disk_that_is_refused_at_any_moment(
    how, disk, files, tiny_folder, tmp_path, warm, pictures
):
    """Told in one line; the same command goes on and ends the same.

    Every 36th moment here; every 4th was tried once.
    """
    things = moments_of(disk, files, tiny_folder)
    assert things > 300
    first = list(SAID).index(how)  # each begins elsewhere
    moments = range(12 + 4 * first, things, 36)
    ended = swept(how, moments, disk, files, tiny_folder, tmp_path / "log")
    assert ended > len(moments) / 3  # of the others, what was removed left room enough


def test_a_folder_that_may_not_be_written_lets_go_of_its_lock(disk):
    """The same process may try again, as a notebook does."""
    from crash.test_folders import do

    def work():
        assert disks.mounted(disk, MEGABYTES)
        disks.powerless()
        disks.at(6, disk, lambda: [f.chmod(0o555) for f in disks.folders(disk)])
        with pytest.raises(PermissionError):
            do(disk / "out")
        assert hidden(disk)
        for folder in disks.folders(disk):
            folder.chmod(0o755)
        assert not recover(disk / "out"), "this process holds it"
        do(disk / "out")
        assert [p.name for p in disk.iterdir()] == ["out"]

    log = disk.parent / "log"
    assert forked(work, log=log) == 0, log.read_text()
