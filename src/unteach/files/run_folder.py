"""A run under way: what is done stands there whole, and the same request goes on from it."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.files.atomic import flush
from unteach.files.hashes import Hashes, damage, hash_of, hashes, write_sealed
from unteach.files.locks import Lock, turn
from unteach.files.work_folders import (
    BEFORE,
    CHECKPOINTS,
    PRIVATE,
    RESULT,
    RUN,
    busy,
    is_placed,
    is_torn,
    leave,
    made,
    place,
    real,
    require_free,
    run_of,
    siblings,
    worth,
)


@dataclass(frozen=True)
class RunFolder:
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

    def mend(self) -> list[Problem]:
        """Drop what is not as it was written, before anything goes on from it; what is said of it.

        Reads all that was kept. A damaged model is made anew, and with it all that was measured;
        of damaged rows, only these.
        """
        held, problems = run_of(self.folder), []
        if (
            not self.placed
            and self.before.exists()
            and hashes(self.before, RUN) != held.get(BEFORE)
        ):
            shutil.rmtree(self.before)  # it is measured again
        if self.placed or not self.result.exists() or "facts" not in held:
            return []
        hint = "what it was made for is done anew"
        if what := damage(self.result, held.get("files", {})):
            problems = [Problem(str(self.result), f"is damaged: {what}", hint, "note")]
            shutil.rmtree(self.result)
            write_sealed(self.folder / RUN, {k: held[k] for k in ("salt", "key")})
            return problems
        known: Hashes = held.get("rows", {})
        there = [f for f in self.result.rglob("*") if f.is_file()]
        names = {f.relative_to(self.result).as_posix() for f in there} - held["files"].keys()
        torn = {n for n in names if damage(self.result, {n: known.get(n)})}
        if PRIVATE in torn:  # what was said is in it beside all rows
            torn = names
        for name in torn:
            (self.result / name).unlink()
        told = sorted(torn & known.keys())
        if told:
            what = f"is damaged: {', '.join(told)}"
            problems = [Problem(str(self.result), what, hint, "note")]
        return problems

    def require_whole(self) -> None:
        """That the model is as it was written, before it is asked. Raises UserError."""
        files = run_of(self.result if self.placed else self.folder).get("files", {})
        if what := damage(self.result, files):
            what = f"was damaged after it was written: {what}"
            hint = "look at the disk; the same request makes it anew"
            raise UserError(Problem(str(self.result), what, hint))

    def keep_rows(self) -> None:
        """What was measured of one model more is written: keep hashes of it."""
        held = run_of(self.folder)
        if self.before.exists():  # training is not over
            write_sealed(self.folder / RUN, {**held, BEFORE: hashes(self.before, RUN)})
            return
        files = [f for f in self.result.rglob("*") if f.is_file()]
        named = {f.relative_to(self.result).as_posix(): f for f in files}
        rows = {name: hash_of(f) for name, f in named.items() if name not in held["files"]}
        write_sealed(self.folder / RUN, {**held, "rows": rows})

    def begin(self) -> Path:
        """A new folder for the model; `keep` makes it the result."""
        for folder in (self._partial, self.result):
            shutil.rmtree(folder, ignore_errors=True)
        self._partial.mkdir()
        return self._partial

    def keep(self, facts: dict[str, Any]) -> None:
        """The model is written: keep it, with what was measured before and what happened."""
        files = hashes(self._partial, RUN)
        if self.before.exists():
            shutil.copytree(self.before, self._partial, dirs_exist_ok=True)
        flush(self._partial)
        os.replace(self._partial, self.result)
        held = {**run_of(self.folder), "facts": facts, "inode": self.result.stat().st_ino}
        held |= {"files": files, "rows": held.pop(BEFORE, {})}
        write_sealed(self.folder / RUN, held)
        for folder in (self.checkpoints, self.before):
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self, facts: dict[str, Any]) -> None:
        """All is written: what happened, and a list of it, by which the same request knows it.

        Of the model it has the hashes that were taken as it was written. Texts are not listed: who
        has read them may delete them, and a hash would confirm a guess.
        """
        known = run_of(self.folder).get("files", {})
        paths = [f for f in self.result.rglob("*") if f.is_file() and f.name not in (RUN, PRIVATE)]
        named = {f.relative_to(self.result).as_posix(): f for f in sorted(paths)}
        files = {name: known.get(name) or hash_of(file) for name, file in named.items()}
        write_sealed(self.result / RUN, {"mark": self.mark, "facts": facts, "files": files})

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
) -> Iterator[RunFolder]:
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
    with turn(out.parent):
        taken = _taken(out, identity, note)
        known = mark is not None and not overwrite and run_of(out).get("mark") == mark
        begun = taken or (None if known else _begun(out, identity))
    if begun is None:
        _require_unchanged(out, run_of(out))
        yield RunFolder(out, out, identity, mark, placed=True)
        return
    folder, lock = begun
    placed = is_placed(folder, out)
    if placed and overwrite and _changed(out, run_of(folder), run_of(out)):
        leave(folder, lock, out)
        (folder, lock), placed = _begun(out, identity), False
    work = RunFolder(folder, out, identity, mark, placed=placed)
    try:
        if work.placed:
            _require_unchanged(out, run_of(folder), run_of(out))
        else:
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
            raise UserError(busy(out))
        if found is None and _is_of(folder, identity):
            found = folder, lock
            continue
        lock.free()
        what = "holds what another request has done so far for this --out"
        hint = "give that request again to go on with it, or remove the folder"
        if is_torn(folder):
            what = f"holds what a run has done so far, but its {RUN} is damaged"
            hint = "no run can go on from it: remove the folder"
        note(Problem(str(folder), what, hint, "note"))
    return found


def _begun(out: Path, identity: str) -> tuple[Path, Lock]:
    folder, lock = made(out)
    salt = secrets.token_hex(16)
    try:
        write_sealed(folder / RUN, {"salt": salt, "key": _key(salt, identity)})
    except BaseException:  # else this process would hold it, and keep itself from trying again
        leave(folder, lock, out)
        raise
    return folder, lock


def _is_of(folder: Path, identity: str) -> bool:
    held = run_of(folder)
    return "key" in held and held["key"] == _key(str(held.get("salt")), identity)


def _require_unchanged(out: Path, *held: dict[str, Any]) -> None:
    """That the result of this very work is as it was written. Raises UserError."""
    if what := _changed(out, *held):
        what = f"is not empty: it holds the result of this request, but {what}"
        hint = "give another folder, or --overwrite to make it anew"
        raise UserError(Problem(f"--out {out}", what, hint, "request"))


def _changed(out: Path, *held: dict[str, Any]) -> str:
    """What of the files that are named is not as it was written; reads them all."""
    return damage(out, {k: v for run in held for k, v in run.get("files", {}).items()})


def _key(salt: str, identity: str) -> str:
    return hashlib.sha256(f"{salt} {identity}".encode()).hexdigest()
