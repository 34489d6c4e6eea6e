"""Write files atomically, also under a power failure, and explain errors of the disk."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from unteach.errors import Problem, UserError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_LEAVE = {errno.EACCES, errno.EPERM, errno.EROFS}
FAILED = {errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.ETIMEDOUT}
AGAIN = "then give the same command again"
# safetensors and torch give the system's error only in their message
SAID = re.compile(r"\(os error (\d+)\)")
COPIED = re.compile(r"\[Errno (\d+)\]")  # likewise shutil, for several files
TORCH = re.compile(r"PytorchStreamWriter failed|inline_container\.cc")


def flush(folder: Path) -> None:
    """Flush all files in a folder, and the folder itself, to the disk.

    Needed before a rename: after a power failure the new name must not point to a partial file.
    """
    for path in [*folder.rglob("*"), folder]:
        if path.is_symlink():
            continue
        if path.is_file() or os.name == "posix":  # elsewhere a folder cannot be opened
            _sync(path)


def flush_names(folder: Path) -> None:
    """Flush the directory entries of a folder to the disk."""
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _sync(folder)


def write_text(file: Path, text: str) -> None:
    """Write a text atomically: after a failure the file has its old content."""
    with _replacing(file) as handle:
        handle.write(text)


def write_lines(file: Path, records: list[dict]) -> None:
    """Write one JSON object per line, atomically as `write_text`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(file) as handle:
        for record in records:
            handle.write(json.dumps(record, allow_nan=False) + "\n")


def disk_problem(error: BaseException, folder: Path, needed: int = 0) -> Problem | None:
    """Make the problem of an error of the disk; None for other errors.

    Args:
        error: an OSError, or an error of shutil, safetensors or torch caused by one.
        folder: the folder that was written to.
        needed: bytes of the model to write; 0 if there is none or the size is unknown.

    Example:
        >>> full = OSError(errno.ENOSPC, "No space left on device")
        >>> disk_problem(full, Path(".")).hint
        'make room, then give the same command again'
        >>> disk_problem(ValueError("something else"), Path("."))
    """
    number = _number(error)
    named = getattr(error, "filename", None)
    where = str(named if isinstance(named, str) else folder)
    if number in FULL or TORCH.search(str(error)):
        free = shutil.disk_usage(_existing(folder)).free
        what = f"cannot be written to: the disk is full or a limit is reached ({free:,} bytes free)"
        alone = f" (the model alone takes {needed:,} bytes, each checkpoint of its training more)"
        return Problem(where, what, f"make room{alone if needed else ''}, {AGAIN}")
    if number in NO_LEAVE:
        words = os.strerror(number).lower()
        hint = f"give yourself leave to write, {AGAIN}"
        return Problem(where, f"cannot be written to ({words})", hint)
    if number in FAILED:
        words = os.strerror(number).lower()
        hint = f"look at the disk, or at the network that leads to it, {AGAIN}"
        return Problem(where, f"cannot be read or written: the disk failed ({words})", hint)
    return None


def _number(error: BaseException) -> int | None:
    """Return the errno of an error; None if it has none."""
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return number
    signs = COPIED if isinstance(error, shutil.Error) else SAID
    found = signs.search(str(error))
    return int(found[1]) if found else None


@contextmanager
def in_words(folder: Path, needed: int = 0) -> Iterator[None]:
    """Convert errors of the disk to UserError; for the arguments see `disk_problem`."""
    try:
        yield
    except Exception as error:
        problem = None if isinstance(error, UserError) else disk_problem(error, folder, needed)
        if problem is None:
            raise
        raise UserError(problem) from error


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next(p for p in (path, *path.parents) if p.exists())


@contextmanager
def _replacing(file: Path) -> Iterator[TextIO]:
    partial = file.with_name(f".{file.name}.partial")
    try:
        with open(partial, "w", encoding="utf-8", opener=_private) as handle:
            yield handle
        _sync(partial)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    """Open a file that only this user can read; `place` sets the final permissions."""
    return os.open(path, flags, 0o600)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
