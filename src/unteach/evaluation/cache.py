"""Rows that were made before: nothing is asked twice of one model."""

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any

from unteach.errors import UserError
from unteach.evaluation.hashes import combined, file_hash
from unteach.files.rows import Groups, read_rows, write_rows

SALT = ".salt"
OLDER = re.compile(rb'\{"about": \{"schema": 1[,}]')


def default_folder() -> Path | None:
    """`UNTEACH_CACHE`, else `unteach` in the user's cache folder; None where it is "off"."""
    given = os.environ.get("UNTEACH_CACHE")
    if given == "off":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given or Path(home) / "unteach") / "rows"


def find(folder: Path | None, key: str) -> tuple[Groups, dict[str, Any]] | None:
    """The rows under a key and the counts of their making; None when there are none to use."""
    if not folder or not key:
        return None
    try:
        stem = _stem(key, _salt(folder))
        for file in sorted(folder.glob(f"{stem}.*.jsonl")):
            if file.name == _name(stem, file):
                return read_rows(file)
    except (OSError, UserError):  # of another release, say: they are made again
        pass
    return None


def keep(folder: Path | None, key: str, rows: Groups, counts: dict[str, Any]) -> None:
    """Keep the rows under a key, whole or not at all; readable by this user alone.

    The key is a hash of all that they depend on. Salted, and with a hash of the file, it is the
    only name that they have: numbers and row ids are all that is kept, neither text nor paths.
    Rows of earlier releases are removed: they have numbers of each token, which give the text back.

    Raises:
        OSError: there is no room, or no leave.
    """
    if not folder or not key:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in folder.glob("*.jsonl"):
        if _is_older(file):
            file.unlink(missing_ok=True)
    stem = _stem(key, _salt(folder, make=True))
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{stem[:12]}-")  # 0600
    os.close(handle)
    try:
        write_rows(Path(name), rows, {"counts": counts})
        kept = folder / _name(stem, Path(name))
        os.replace(name, kept)
        for damaged in set(folder.glob(f"{stem}.*.jsonl")) - {kept}:
            damaged.unlink(missing_ok=True)
    finally:
        Path(name).unlink(missing_ok=True)


def _is_older(file: Path) -> bool:
    try:
        with file.open("rb") as lines:
            return OLDER.match(lines.readline(1000)) is not None
    except OSError:  # another process was faster
        return False


def _name(stem: str, file: Path) -> str:
    """What a file of these contents is called: one that was cut or changed has another name."""
    return f"{stem}.{file_hash(file)[:16]}.jsonl"


def _stem(key: str, salt: bytes) -> str:
    """The key as a file's name: without the salt nobody can tell which data it is of.

    A bare hash would tell it to whoever guesses the data.
    """
    return hmac.new(salt, key.encode(), hashlib.sha256).hexdigest()


def _salt(folder: Path, *, make: bool = False) -> bytes:
    """What is random about this folder. Lost, it costs no more than the rows that were kept.

    Raises:
        OSError: there is none, or none can be made.
    """
    file = folder / SALT
    if make and not file.exists():
        handle, name = tempfile.mkstemp(dir=folder, prefix=SALT)  # 0600
        with os.fdopen(handle, "wb") as new:
            new.write(secrets.token_hex(32).encode())
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(name, file)  # of several processes the first wins; it is whole at once
        except FileExistsError:
            pass
        except OSError:  # a disk without links: the last of them wins, its rows alone are found
            os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
    return file.read_bytes()


def key_of(parts: dict[str, Any]) -> str:
    """One name for all that rows depend on; empty where something is not known.

    Example:
        >>> key_of({"model": None, "code": "a"}), len(key_of({"model": "m"}))
        ('', 64)
    """
    if any(part is None for part in parts.values()):
        return ""
    return combined((name, json.dumps(part, sort_keys=True)) for name, part in parts.items())
