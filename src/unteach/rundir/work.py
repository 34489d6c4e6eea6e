"""A run under way: what is done stands there whole, and the same request goes on from it."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unteach.nouns import Problem, UserError
from unteach.rundir.disk import flush, sizes, write_text
from unteach.rundir.folders import (
    BEFORE,
    CHECKPOINTS,
    RESULT,
    RUN,
    is_placed,
    leave,
    made,
    place,
    real,
    require_free,
    run_of,
    siblings,
    worth,
)
from unteach.rundir.locks import Lock


@dataclass(frozen=True)
class Work:
    """The folder of a run under way.

    Attributes:
        folder: the hidden folder beside `out`; `out` itself where that was made before.
        out: where the result goes.
        identity: all that decides the result.
        mark: the same, fit to stand in it; None where there is no such thing.
        placed: whether it is there already, and nothing is left to do.
    """

    folder: Path
    out: Path
    identity: str
    mark: str | None = None
    placed: bool = False

    @property
    def checkpoints(self) -> Path:
        """Where training writes them."""
        return self.folder / CHECKPOINTS

    @property
    def before(self) -> Path:
        """What is measured before training; the result takes it in."""
        return self.folder / BEFORE

    @property
    def result(self) -> Path:
        """The model, and beside it what is measured."""
        return self.out if self.placed else self.folder / RESULT

    def trained(self) -> dict[str, Any] | None:
        """What happened in training, where that is over and its model written."""
        held = {**run_of(self.folder), **run_of(self.result)}
        return held.get("facts") if self.result.exists() else None

    def begin(self) -> Path:
        """A new folder for the model; `keep` makes it the result."""
        for folder in (self._partial, self.result):
            shutil.rmtree(folder, ignore_errors=True)
        self._partial.mkdir()
        return self._partial

    def keep(self, facts: dict[str, Any]) -> None:
        """The model is written: keep it, with what was measured before and what happened."""
        if self.before.exists():
            shutil.copytree(self.before, self._partial, dirs_exist_ok=True)
        flush(self._partial)
        os.replace(self._partial, self.result)
        held = {**run_of(self.folder), "facts": facts, "inode": self.result.stat().st_ino}
        write_text(self.folder / RUN, json.dumps(held))
        for folder in (self.checkpoints, self.before):
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self, facts: dict[str, Any]) -> None:
        """All is written: what happened, and a list of it, by which the same request knows it."""
        held = {"mark": self.mark, "facts": facts, "files": sizes(self.result, RUN)}
        write_text(self.result / RUN, json.dumps(held))

    @property
    def _partial(self) -> Path:
        return self.folder / f"{RESULT}.partial"


@contextmanager
def working(
    out: Path,
    identity: str,
    note: Callable[[Problem], None],
    *,
    overwrite: bool,
    mark: str | None = None,
) -> Iterator[Work]:
    """The work that was begun on this request, or a new one; in the end it becomes `out`.

    When the run fails, or is stopped, the folder stays if there is something to go on from. Where
    `out` holds the result of this very work, whole, it is found `placed`.

    Args:
        out: where the result goes.
        identity: all that decides the result, in words; kept as a salted hash alone, since it tells
            of the data.
        note: told what was left behind, and what is.
        overwrite: what stands in `out` may be replaced, also if it came there meanwhile.
        mark: the identity, fit to stand in `out`, so that it tells nothing of the data; None for
            work that is not known again once it is over.

    Raises:
        UserError: another run is writing to `out`, or something else stands there.
    """
    out = real(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    taken = _taken(out, identity, note)
    if not taken and not overwrite and _is_done(out, mark):
        yield Work(out, out, identity, mark, placed=True)
        return
    folder, lock = taken or _begun(out, identity)
    work = Work(folder, out, identity, mark, placed=is_placed(folder, out))
    try:
        if not work.placed:
            require_free(out, overwrite=overwrite)
        yield work
        if not work.placed:
            place(folder, out, overwrite=overwrite)
    except BaseException as error:
        if worth(folder, out):
            hint = "the same request goes on from it; remove it if that is not wanted"
            note(Problem(str(folder), "holds what was done so far", hint, "note"))
            lock.free()
        else:
            leave(folder, lock, out)
            if not isinstance(error, UserError):
                hint = "train.checkpoint_minutes or train.checkpoint_steps says how often"
                what = "nothing is kept: no checkpoint was written yet"
                note(Problem(f"--out {out}", what, hint, "note"))
        raise
    leave(folder, lock, out)


def _taken(out: Path, identity: str, note: Callable[[Problem], None]) -> tuple[Path, Lock] | None:
    """The one that was begun on this request; all others are let be."""
    found = None
    for folder in siblings(out):
        lock = Lock(folder)
        if not lock.take():
            if found:
                found[1].free()
            hint = "wait for its end, or give another folder"
            raise UserError(Problem(f"--out {out}", "is being written by another run", hint))
        if found is None and _is_of(folder, identity):
            found = folder, lock
            continue
        lock.free()
        what = "holds what another request has done so far for this --out"
        hint = "give that request again to go on with it, or remove the folder"
        note(Problem(str(folder), what, hint, "note"))
    return found


def _begun(out: Path, identity: str) -> tuple[Path, Lock]:
    folder, lock = made(out)
    salt = secrets.token_hex(16)
    write_text(folder / RUN, json.dumps({"salt": salt, "key": _key(salt, identity)}))
    return folder, lock


def _is_of(folder: Path, identity: str) -> bool:
    held = run_of(folder)
    return "key" in held and held["key"] == _key(str(held.get("salt")), identity)


def _is_done(out: Path, mark: str | None) -> bool:
    """Whether it is the whole result of that work."""
    held = run_of(out)
    files, facts = held.get("files"), held.get("facts")
    if mark is None or held.get("mark") != mark or not (files and isinstance(files, dict)):
        return False
    found = sizes(out, RUN)
    return isinstance(facts, dict) and all(found.get(name) == files[name] for name in files)


def _key(salt: str, identity: str) -> str:
    return hashlib.sha256(f"{salt} {identity}".encode()).hexdigest()
