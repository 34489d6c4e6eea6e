"""What gets its name is on the disk before: after a power cut no name points at a torn file.

Killing a process does not show it, as the system still writes what that left.
"""

import os
from pathlib import Path

import pytest
from crash.test_folders import out

from unteach.files import work_folders as folders
from unteach.files import working

__all__ = ["out"]  # a fixture


@pytest.fixture
def named(monkeypatch):
    """The names that are given; a file that gets one without being on the disk is an error."""
    synced, given = {}, []
    fsync = os.fsync

    def state(found):
        return found.st_size, found.st_mtime_ns

    def on_disk(handle):
        synced[os.fstat(handle).st_ino] = state(os.fstat(handle))
        fsync(handle)

    def moving(usual):
        def move(source, target, **more):
            there = Path(source)
            for file in (f for f in (there, *there.rglob("*")) if f.is_file()):
                found = file.stat()
                assert synced.get(found.st_ino) == state(found), f"{file.name} is not on the disk"
            given.append(Path(target).name)
            return usual(source, target, **more)

        return move

    monkeypatch.setattr(os, "fsync", on_disk)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, moving(getattr(os, name)))
    return given


def test_what_gets_its_name_is_on_the_disk_before(named, out):
    with working(out, "one", lambda p: None, overwrite=False, mark="one") as work:
        (work.begin() / "weights").write_text("weights")
        work.keep({"steps": 1})
        (work.result / folders.PRIVATE).write_text("said")
        work.finish({"steps": 1})
    assert {"run.json", "result", out.name} <= set(named)
    assert (out / "weights").read_text() == "weights"
