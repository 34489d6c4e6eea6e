"""Rows that were made before: nothing is asked twice of one model."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from unteach.nouns import UserError
from unteach.rowsfile import Groups, read_rows, write_rows


def default_folder() -> Path:
    """`UNTEACH_CACHE`, else `unteach` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("UNTEACH_CACHE") or Path(home) / "unteach") / "rows"


def find(folder: Path | None, key: str) -> tuple[Groups, dict[str, Any]] | None:
    """The rows under a key and the counts of their making; None when there are none to use."""
    if not folder or not key:
        return None
    try:
        return read_rows(folder / f"{key}.jsonl")
    except UserError:  # absent, or of another release: they are made again
        return None


def keep(folder: Path | None, key: str, rows: Groups, counts: dict[str, Any]) -> None:
    """Keep the rows under a key, whole or not at all; readable by this user alone.

    The key is a hash of all that they depend on, and the only name that they have: numbers and row
    ids are all that is kept, neither text nor paths.
    """
    if not folder or not key:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{key[:12]}-")  # 0600
    os.close(handle)
    try:
        write_rows(Path(name), rows, {"counts": counts})
        os.replace(name, folder / f"{key}.jsonl")
    finally:
        Path(name).unlink(missing_ok=True)


def key_of(parts: dict[str, Any]) -> str:
    """One name for all that rows depend on; empty where something is not known.

    Example:
        >>> key_of({"model": None, "code": "a"}), len(key_of({"model": "m"}))
        ('', 64)
    """
    from unteach.evaluation.hashes import combined

    if any(part is None for part in parts.values()):
        return ""
    return combined((name, json.dumps(part, sort_keys=True)) for name, part in parts.items())
