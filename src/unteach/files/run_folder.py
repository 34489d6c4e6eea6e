"""Keep the finished stages of a run in a folder, from which the same request resumes."""

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
from unteach.files.hashes import Hashes, damage, files_below, hash_of, hashes, write_sealed
from unteach.files.locks import Lock, turn
from unteach.files.work_folders import (
    ATTACKS,
    BEFORE,
    CARD,
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
    """The folder of a run in progress.

    Attributes:
        folder: the hidden folder beside `out`; `out` itself if the result exists already.
        out: where the result goes.
        identity: hash of request, model, data and code.
        mark: a second hash that may be written into the result, since it reveals nothing of the
            data; None if there is none.
        placed: whether the result is in `out` already.
    """

    folder: Path
    out: Path
    identity: str
    mark: str | None = None
    placed: bool = False

    @property
    def checkpoints(self) -> Path:
        """Folder of the training checkpoints."""
        return self.folder / CHECKPOINTS

    @property
    def attacks(self) -> Path:
        """Where what attacks asked is kept while they are made; gone with the work."""
        return self.folder / ATTACKS

    @property
    def before(self) -> Path:
        """Folder of the rows from before training; they are copied into the result."""
        return self.folder / BEFORE

    @property
    def result(self) -> Path:
        """Folder of the unlearned model and the rows."""
        return self.out if self.placed else self.folder / RESULT

    def trained(self) -> dict[str, Any] | None:
        """Return the facts of training if its model is written, else None."""
        held = {**run_of(self.folder), **run_of(self.result)}
        return held.get("facts") if self.result.exists() else None

    def mend(self) -> list[Problem]:
        """Delete damaged files before the run resumes, and return notes on them.

        Reads all files that were kept. If the model is damaged, it is deleted with all its rows; if
        rows are damaged, only these are deleted.
        """
        held, problems = run_of(self.folder), []
        if (
            not self.placed
            and self.before.exists()
            and hashes(self.before, RUN) != held.get(BEFORE)
        ):
            shutil.rmtree(self.before)  # it is evaluated again
        if self.placed or not self.result.exists() or "facts" not in held:
            return []
        hint = "what it was made for is done anew"
        if what := damage(self.result, held.get("files", {})):
            problems = [Problem(str(self.result), f"is damaged: {what}", hint, "note")]
            shutil.rmtree(self.result)
            write_sealed(self.folder / RUN, {k: held[k] for k in ("salt", "key")})
            return problems
        known: Hashes = held.get("rows", {})
        names = files_below(self.result).keys() - held["files"].keys()
        torn = {n for n in names if damage(self.result, {n: known.get(n)})}
        if PRIVATE in torn:  # it holds generated texts of all models
            torn = names
        for name in torn:
            (self.result / name).unlink()
        damaged = sorted(torn & known.keys())
        if damaged:
            what = f"is damaged: {', '.join(damaged)}"
            problems = [Problem(str(self.result), what, hint, "note")]
        return problems

    def require_whole(self) -> None:
        """Raise UserError if the model is damaged; called before it is evaluated."""
        files = run_of(self.result if self.placed else self.folder).get("files", {})
        if what := damage(self.result, files):
            what = f"was damaged after it was written: {what}"
            hint = "look at the disk; the same request makes it anew"
            raise UserError(Problem(str(self.result), what, hint))

    def keep_rows(self) -> None:
        """Record hashes of all rows, after those of one more model were written."""
        held = run_of(self.folder)
        if self.before.exists():  # training is not done
            write_sealed(self.folder / RUN, {**held, BEFORE: hashes(self.before, RUN)})
            return
        files = files_below(self.result).items()
        rows = {name: hash_of(file) for name, file in files if name not in held["files"]}
        write_sealed(self.folder / RUN, {**held, "rows": rows})

    def begin(self) -> Path:
        """Make a new folder for the model; `keep` turns it into the result."""
        for folder in (self._partial, self.result):
            shutil.rmtree(folder, ignore_errors=True)
        self._partial.mkdir()
        return self._partial

    def keep(self, facts: dict[str, Any]) -> None:
        """Turn the written model into the result, with the rows from before and the facts."""
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
        """Write the facts, the mark and the list of files, by which the same request finds it.

        The model's hashes are those taken when it was written. The file of texts is not listed: a
        user may delete it after reading, and a hash would confirm a guess. Nor is the model card,
        which its user may edit.
        """
        known = run_of(self.folder).get("files", {})
        files = {
            name: known.get(name) or hash_of(file)
            for name, file in files_below(self.result).items()
            if file.name not in (RUN, PRIVATE, CARD)
        }
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
    """Open the folder of an unfinished run of this request, or a new one; it becomes `out`.

    If the run fails or is stopped, the folder is kept if the run can resume from it. If `out` holds
    the complete result of this request, it is returned as `placed`.

    Args:
        out: where the result goes.
        identity: hash of request, model, data and code; it is written only with a salt, since a
            guess of short data could be confirmed with it.
        note: called with notes on folders that were left behind.
        overwrite: replace the content of `out`, even if it appears during the run.
        mark: a second hash, which is written into `out` and reveals nothing of the data; None for
            a run that need not be recognised when it is done.

    Raises:
        UserError: another run is writing to `out`, or `out` has other content.
    """
    out = real(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with turn(out.parent):
        taken = _unfinished(out, identity, note)
        known = mark is not None and not overwrite and run_of(out).get("mark") == mark
        begun = taken or (None if known else _new_folder(out, identity))
    if begun is None:
        _require_unchanged(out, run_of(out))
        yield RunFolder(out, out, identity, mark, placed=True)
        return
    folder, lock = begun
    placed = is_placed(folder, out)
    if placed and overwrite and _changed(out, run_of(folder), run_of(out)):
        leave(folder, lock, out)
        (folder, lock), placed = _new_folder(out, identity), False
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


def _unfinished(
    out: Path, identity: str, note: Callable[[Problem], None]
) -> tuple[Path, Lock] | None:
    """Return the locked folder of an unfinished run of this request; others are not touched."""
    found = None
    for folder in siblings(out):
        lock = Lock(folder)
        if not lock.take():
            if found:
                found[1].free()
            raise UserError(busy(out))
        if found is None and _belongs_to(folder, identity):
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


def _new_folder(out: Path, identity: str) -> tuple[Path, Lock]:
    folder, lock = made(out)
    salt = secrets.token_hex(16)
    try:
        write_sealed(folder / RUN, {"salt": salt, "key": _key(salt, identity)})
    except BaseException:  # otherwise this process would keep the lock and block a retry
        leave(folder, lock, out)
        raise
    return folder, lock


def _belongs_to(folder: Path, identity: str) -> bool:
    held = run_of(folder)
    return "key" in held and held["key"] == _key(str(held.get("salt")), identity)


def _require_unchanged(out: Path, *held: dict[str, Any]) -> None:
    """Raise UserError if the result of this request is damaged or changed."""
    if what := _changed(out, *held):
        what = f"is not empty: it holds the result of this request, but {what}"
        hint = "give another folder, or --overwrite to make it anew"
        raise UserError(Problem(f"--out {out}", what, hint, "request"))


def _changed(out: Path, *held: dict[str, Any]) -> str:
    """Describe the first changed file of those that the runs list; reads all of them."""
    return damage(out, {k: v for run in held for k, v in run.get("files", {}).items()})


def _key(salt: str, identity: str) -> str:
    return hashlib.sha256(f"{salt} {identity}".encode()).hexdigest()
