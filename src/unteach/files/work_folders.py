"""The hidden folders beside an output folder, in which it is made.

`.OUT.partial-3f9a21` has

- `lock`, held by the process at work;
- `result`, which becomes OUT;
- `replaced`: what stood in OUT, until `result` has its place; then it is `removed`;
- `run.json`, of a run that can be taken up again (`work.py`): a salted key, and what came of
  training when that is over and the model in `result`, with the hashes of what stands there;
- `before`: what the original model was asked before training, which goes into the result;
- `checkpoints`: what training wrote on its way.
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

PRIVATE = "texts.jsonl"  # the one file that holds texts, where the user asked for it
RESULT, RUN, CHECKPOINTS, BEFORE = "result", "run.json", "checkpoints", "before"
REPLACED, REMOVED = "replaced", "removed"
NUMBER = re.compile(r"[0-9a-f]{6}")
ALL = os.R_OK | os.W_OK | os.X_OK


def real(out: Path) -> Path:
    """Where it is, whatever leads there: a link is followed, since it cannot be replaced."""
    return Path(os.path.realpath(out))


def filled(out: Path) -> bool:
    """Whether something stands in it."""
    return out.is_dir() and any(out.iterdir())


def require_free(out: Path, *, overwrite: bool) -> None:
    """That nothing would be replaced that may not. Raises UserError."""
    if filled(out) and not overwrite:
        raise UserError(not_empty(out))


def not_empty(out: Path) -> Problem:
    """In words."""
    hint = "give another folder, or --overwrite to replace what is there"
    return Problem(f"--out {out}", "is not empty", hint, "request")


def siblings(out: Path) -> Iterator[Path]:
    """The hidden folders of an output folder; none that only looks like one."""
    start = f".{out.name}.partial-"  # not a pattern: a name may hold signs of one
    try:
        there = sorted(out.parent.iterdir())
    except OSError:  # no folder, or no path that one can have
        return
    for path in there:
        number = path.name.removeprefix(start)
        if number != path.name and NUMBER.fullmatch(number) and _ours(path):
            yield path


def _ours(path: Path) -> bool:
    """Whether it has a lock, or nothing yet, and this user may touch it."""
    if path.is_symlink() or not path.is_dir() or not os.access(path, ALL):
        return False
    return (path / FILE).exists() or not any(path.iterdir())


def made(out: Path) -> tuple[Path, Lock]:
    """A new one, readable by this user alone, and its lock."""
    while True:
        folder = out.with_name(f".{out.name}.partial-{secrets.token_hex(3)}")
        folder.mkdir(mode=0o700)
        lock = Lock(folder)
        if lock.take():
            return folder, lock


def leave(folder: Path, lock: Lock, out: Path) -> None:
    """Remove it; last what tells that its run is over, and whose it is."""
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
    """What stood in `out` takes its place again, where nothing else has."""
    if (folder / REPLACED).exists() and not out.exists():
        os.replace(folder / REPLACED, out)


def place(folder: Path, out: Path, *, overwrite: bool) -> None:
    """The folder's result becomes `out`; what stood there is set aside.

    Raises:
        UserError: something stands there that may not be replaced; it may be new.
    """
    require_free(out, overwrite=overwrite)
    result, aside = folder / RESULT, folder / REPLACED
    mask = _umask()
    for file in result.rglob("*"):
        if file.is_file():
            # safetensors writes files that only their owner reads
            file.chmod(0o600 if file.name == PRIVATE else 0o666 & ~mask)
    flush(result)
    try:
        if out.exists():
            os.replace(out, aside)
        os.replace(result, out)
    finally:
        restore(folder, out)
    if aside.exists():  # half of it must never come back
        os.replace(aside, folder / REMOVED)
    flush_names(out.parent)


def placed(out: Path) -> bool:
    """Whether `out` was made by a run that was cut off as it cleared up."""
    return any(is_placed(folder, out) for folder in siblings(out))


def is_placed(folder: Path, out: Path) -> bool:
    """Whether this one's result has become `out`, and still is."""
    run = run_of(folder)
    if "facts" not in run or (folder / RESULT).exists() or not out.is_dir():
        return False
    return out.stat().st_ino == run.get("inode")


def run_of(folder: Path) -> dict[str, Any]:
    """What a folder says of its run; nothing where it is of none, or that is damaged."""
    return read_sealed(folder / RUN) or {}


def listed_files(folder: Path) -> dict[str, Any]:
    """The files that a result lists, with their hashes; none where it is no result of a run.

    Raises:
        UserError: the list is there and damaged.
    """
    held = run_of(folder)
    if not held and (folder / RUN).exists():
        hint = "take it from a copy, or give the request again to make the result anew"
        raise UserError(Problem(str(folder / RUN), "is not as it was written", hint))
    return held.get("files", {})


def is_torn(folder: Path) -> bool:
    """Whether what it says of its run is damaged, so that none can go on from what it holds."""
    made = (folder / RESULT).exists() or any((folder / CHECKPOINTS).glob("checkpoint-*"))
    return made and (folder / RUN).exists() and not run_of(folder)


def busy(out: Path) -> Problem:
    """That another process is at work on it, in words."""
    hint = "wait for its end, or give another folder"
    return Problem(f"--out {out}", "is being written by another run", hint)


def recover(out: Path) -> bool:
    """Put in order what a process that was killed left behind.

    What stood in `out` takes its place again, where nothing else has; what no run can go on from is
    removed.

    Returns:
        Whether another process is at work on `out`.
    """
    out = real(out)
    with turn(out.parent):
        return in_order(out)


def in_order(out: Path) -> bool:
    """As `recover`, for who has its turn."""
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
    """Whether a run can go on from it, or its user should look at it."""
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
