"""Output folders that appear whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unteach.nouns import Problem

PRIVATE = "texts.jsonl"  # the one file that holds texts, where the user asked for it


def check_out(out: Path, *, overwrite: bool) -> list[Problem]:
    """What keeps a result from being written to `out`."""
    if out.exists() and not out.is_dir():
        return [Problem(f"--out {out}", "is a file", "give another folder", "request")]
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        hint = "give another folder, or --overwrite to replace what is there"
        return [Problem(f"--out {out}", "is not empty", hint, "request")]
    parent = next(p for p in out.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        return [Problem(f"--out {out}", f"cannot be made in {parent}", "", "request")]
    return []


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; it takes `out`'s place when all went well.

    On any error, and on Ctrl-C, the staged folder is removed and `out` is as it was. What stood in
    `out` is set aside until the new folder is in place.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "result"
        >>> with staged(out) as folder:
        ...     _ = (folder / "a.txt").write_text("whole")
        >>> (out / "a.txt").read_text()
        'whole'
    """
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = out.with_name(f".{out.name}.partial-{os.getpid()}")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        yield stage
        _replace(stage, out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _replace(stage: Path, out: Path) -> None:
    for file in stage.rglob("*"):
        if file.is_file():
            # safetensors writes files that only their owner reads
            file.chmod(0o600 if file.name == PRIVATE else 0o666 & ~_umask())
            _flush(file)
    aside = out.with_name(f".{out.name}.replaced-{os.getpid()}")
    if out.exists():
        os.replace(out, aside)
    try:
        os.replace(stage, out)
    except OSError:
        if aside.exists():
            os.replace(aside, out)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(file: Path) -> None:
    """To the disk before the rename: after a power cut a name must not point at a torn file."""
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def write_lines(file: Path, records: list[dict]) -> None:
    """One JSON object per line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as handle:
        for record in records:
            handle.write(json.dumps(record, allow_nan=False) + "\n")
