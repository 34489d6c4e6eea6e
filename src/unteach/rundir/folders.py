"""The hidden folders beside an output folder, in which it is made.

`.OUT.partial-3f9a21` has

- `lock`, held by the process at work;
- `result`, which becomes OUT;
- `replaced`: what stood in OUT, until `result` has its place;
- `run.json`, of a run that can be taken up again (`work.py`): a salted key, and what came of
  training when that is over and the model in `result`;
- `checkpoints`: what training wrote on its way.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unteach.rundir.disk import flush
from unteach.rundir.locks import FILE, Lock

PRIVATE = "texts.jsonl"  # the one file that holds texts, where the user asked for it
RESULT, REPLACED, RUN, CHECKPOINTS = "result", "replaced", "run.json", "checkpoints"


def siblings(out: Path) -> Iterator[Path]:
    """The hidden folders of an output folder."""
    start = f".{out.name}.partial-"  # not a pattern: a name may hold signs of one
    for path in sorted(out.parent.iterdir()) if out.parent.is_dir() else ():
        if path.name.startswith(start) and path.is_dir():
            yield path


def made(out: Path) -> tuple[Path, Lock]:
    """A new one, readable by this user alone, and its lock."""
    while True:
        folder = out.with_name(f".{out.name}.partial-{secrets.token_hex(3)}")
        folder.mkdir(mode=0o700)
        lock = Lock(folder)
        if lock.take():
            return folder, lock


def leave(folder: Path, lock: Lock) -> None:
    """Remove it; last what tells that its run is over."""
    for name in (RESULT, REPLACED, CHECKPOINTS, RUN, FILE):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    lock.free()


def place(folder: Path, out: Path) -> None:
    """The folder's result becomes `out`; what stood there is set aside."""
    result, aside = folder / RESULT, folder / REPLACED
    mask = _umask()
    for file in result.rglob("*"):
        if file.is_file():
            # safetensors writes files that only their owner reads
            file.chmod(0o600 if file.name == PRIVATE else 0o666 & ~mask)
    flush(result)
    if out.exists():
        os.replace(out, aside)
    try:
        os.replace(result, out)
    except OSError:
        if aside.exists():
            os.replace(aside, out)
        raise
    flush_names(out.parent)


def placed(out: Path) -> bool:
    """Whether `out` was made by a run that was cut off as it cleared up."""
    return out.is_dir() and any(is_placed(folder) for folder in siblings(out.absolute()))


def is_placed(folder: Path) -> bool:
    """Whether this one's result has become `out`."""
    return "facts" in run_of(folder) and not (folder / RESULT).exists()


def run_of(folder: Path) -> dict[str, Any]:
    """What a folder says of its run; nothing where it is of none."""
    try:
        held = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def recover(out: Path) -> None:
    """Put in order what a process that was killed left behind.

    What stood in `out` takes its place again, where nothing else has; what no run can go on from is
    removed.
    """
    out = out.absolute()
    for folder in siblings(out):
        lock = Lock(folder)
        if not lock.take():
            continue
        if (folder / REPLACED).exists() and not out.exists():
            os.replace(folder / REPLACED, out)
        if worth(folder):
            lock.free()
        else:
            leave(folder, lock)


def worth(folder: Path) -> bool:
    """Whether a run can go on from it."""
    run = run_of(folder)
    return "facts" in run or (bool(run) and any((folder / CHECKPOINTS).glob("checkpoint-*")))


def flush_names(folder: Path) -> None:
    """What a folder holds, by name, to the disk."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
