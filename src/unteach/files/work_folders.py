"""Manage the hidden folders beside an output folder, in which its content is prepared.

`.OUT.partial-3f9a21` has

- `lock`, held by the process at work;
- `result`, which becomes OUT;
- `replaced`: the old content of OUT until `result` is in place; then it is renamed to `removed`;
- `run.json`, of a run that can resume (`run_folder.py`): a salted key and, when training is done
  and the model is in `result`, the facts of training and the hashes of the files in `result`;
- `before`: the rows of the original model from before training, which go into the result;
- `checkpoints`: the checkpoints of training;
- `attacks`: the rows of attacks on the result so far.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.files.atomic import flush, flush_names
from unteach.files.hashes import read_sealed
from unteach.files.locks import FILE, Lock, turn

PRIVATE = "texts.jsonl"  # the only file with texts; written if the user asks for it
CARD = "README.md"  # the model card, which its user may edit
RESULT, RUN, CHECKPOINTS, BEFORE = "result", "run.json", "checkpoints", "before"
ATTACKS = "attacks"
REPLACED, REMOVED = "replaced", "removed"
NUMBER = re.compile(r"[0-9a-f]{6}")
ALL = os.R_OK | os.W_OK | os.X_OK


def real(out: Path) -> Path:
    """Resolve symbolic links: a link itself cannot be replaced by a folder."""
    return Path(os.path.realpath(out))


def filled(out: Path) -> bool:
    """Whether it is a folder that is not empty."""
    return out.is_dir() and any(out.iterdir())


def require_free(out: Path, *, overwrite: bool) -> None:
    """Raise UserError if `out` is not empty and may not be overwritten."""
    if filled(out) and not overwrite:
        raise UserError(not_empty(out))


def not_empty(out: Path) -> Problem:
    """Make the problem of an output folder that is not empty."""
    hint = "give another folder, or --overwrite to replace what is there"
    return Problem(f"--out {out}", "is not empty", hint, "request")


def siblings(out: Path) -> Iterator[Path]:
    """Yield the hidden folders of an output folder; others with similar names are skipped."""
    start = f".{out.name}.partial-"  # no glob pattern: a name may contain `*` or `[`
    try:
        paths = sorted(out.parent.iterdir())
    except OSError:  # not a folder, or not a valid path
        return
    for path in paths:
        number = path.name.removeprefix(start)
        if number != path.name and NUMBER.fullmatch(number) and _is_work_folder(path):
            yield path


def _is_work_folder(path: Path) -> bool:
    """Whether it has a lock file or is empty, and this user has all permissions."""
    if path.is_symlink() or not path.is_dir() or not os.access(path, ALL):
        return False
    return (path / FILE).exists() or not any(path.iterdir())


def made(out: Path) -> tuple[Path, Lock]:
    """Make a new hidden folder that only this user can read, and lock it."""
    while True:
        folder = out.with_name(f".{out.name}.partial-{secrets.token_hex(3)}")
        folder.mkdir(mode=0o700)
        lock = Lock(folder)
        if lock.take():
            return folder, lock


def leave(folder: Path, lock: Lock, out: Path) -> None:
    """Remove a hidden folder and release its lock; `run.json` and the lock file come last."""
    restore(folder, out)
    last = [folder / RUN, folder / FILE]
    others = [p for p in folder.iterdir() if p not in last] if folder.is_dir() else []
    for path in (*others, *last):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    lock.free()


def restore(folder: Path, out: Path) -> None:
    """Move the old content of `out` back if `out` does not exist."""
    if (folder / REPLACED).exists() and not out.exists():
        os.replace(folder / REPLACED, out)


def place(folder: Path, out: Path, *, overwrite: bool) -> None:
    """Move the folder's result to `out`; the old content of `out` is moved away.

    Raises:
        UserError: `out` is not empty, perhaps only since a moment ago, and may not be overwritten.
    """
    require_free(out, overwrite=overwrite)
    result, aside = folder / RESULT, folder / REPLACED
    mask = _umask()
    for file in result.rglob("*"):
        if file.is_file():
            # safetensors writes files that only their owner can read
            file.chmod(0o600 if file.name == PRIVATE else 0o666 & ~mask)
    flush(result)
    try:
        if out.exists():
            os.replace(out, aside)
        os.replace(result, out)
    finally:
        restore(folder, out)
    if aside.exists():  # renamed, so that `restore` never moves a partly deleted folder back
        os.replace(aside, folder / REMOVED)
    flush_names(out.parent)


def placed(out: Path) -> bool:
    """Whether `out` was made by a run that was killed during its cleanup."""
    return any(is_placed(folder, out) for folder in siblings(out))


def is_placed(folder: Path, out: Path) -> bool:
    """Whether the result of this hidden folder is in `out` and was not replaced since."""
    run = run_of(folder)
    if "facts" not in run or (folder / RESULT).exists() or not out.is_dir():
        return False
    return out.stat().st_ino == run.get("inode")


def run_of(folder: Path) -> dict[str, Any]:
    """Read `run.json` of a folder; empty if there is none or it is damaged."""
    return read_sealed(folder / RUN) or {}


def listed_files(folder: Path) -> dict[str, Any]:
    """Return the files that a result lists, with their hashes; empty if it is no result.

    Raises:
        UserError: the list is damaged.
    """
    held = run_of(folder)
    if not held and (folder / RUN).exists():
        hint = "take it from a copy, or give the request again to make the result anew"
        raise UserError(Problem(str(folder / RUN), "is not as it was written", hint))
    return held.get("files", {})


def is_torn(folder: Path) -> bool:
    """Whether a folder has work of a run, but its `run.json` is damaged, so no run can resume."""
    made = (folder / RESULT).exists() or any((folder / CHECKPOINTS).glob("checkpoint-*"))
    return made and (folder / RUN).exists() and not run_of(folder)


def busy(out: Path) -> Problem:
    """Make the problem of an output folder that another process is writing."""
    hint = "wait for its end, or give another folder"
    return Problem(f"--out {out}", "is being written by another run", hint)


def recover(out: Path) -> bool:
    """Clean up after killed processes.

    The old content of `out` is moved back if `out` does not exist; folders from which no run can
    resume are removed.

    Returns:
        Whether another process is writing to `out`.
    """
    out = real(out)
    with turn(out.parent):
        return in_order(out)


def in_order(out: Path) -> bool:
    """As `recover`, for a process that holds the lock of `turn`."""
    at_work = False
    for folder in siblings(out):
        lock = Lock(folder)
        if not lock.take():
            at_work |= folder.exists()
            continue
        restore(folder, out)
        if worth(folder, out):
            lock.free()
        else:
            leave(folder, lock, out)
    return at_work


def worth(folder: Path, out: Path) -> bool:
    """Whether to keep a hidden folder: a run can resume from it, or it is damaged."""
    if is_torn(folder):
        return True
    run = run_of(folder)
    if "facts" in run:
        return (folder / RESULT).exists() or is_placed(folder, out)
    return bool(run) and any((folder / CHECKPOINTS).glob("checkpoint-*"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
