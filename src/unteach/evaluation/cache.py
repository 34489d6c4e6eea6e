"""Cache the rows of a model, so that the same evaluation is not computed twice."""

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
    """The cache folder: `rows` in `UNTEACH_CACHE`, else in `unteach` in the user's cache folder.

    None where `UNTEACH_CACHE` is "off".
    """
    given = os.environ.get("UNTEACH_CACHE")
    if given == "off":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given or Path(home) / "unteach") / "rows"


def find(folder: Path | None, key: str) -> tuple[Groups, dict[str, Any]] | None:
    """The rows cached under a key, and their counts; None when there are no usable ones."""
    if not folder or not key:
        return None
    try:
        stem = _stem(key, _salt(folder))
        for file in sorted(folder.glob(f"{stem}.*.jsonl")):
            if file.name == _name(stem, file):
                return read_rows(file)
    except (OSError, UserError):  # such as rows of another release: they are computed again
        pass
    return None


def keep(folder: Path | None, key: str, rows: Groups, counts: dict[str, Any]) -> None:
    """Write rows to the cache atomically, readable only by this user.

    The key is a hash of everything that the rows depend on. The file name is the salted key and a
    hash of the file. The file holds numbers and row ids, neither texts nor paths. Rows of earlier
    releases are removed: they hold per-token numbers, from which the text can be recovered.

    Raises:
        OSError: the disk is full, or writing is not permitted.
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
    except OSError:  # another process removed it already
        return False


def _name(stem: str, file: Path) -> str:
    """File name with a hash of the contents, so that truncated or changed files do not match."""
    return f"{stem}.{file_hash(file)[:16]}.jsonl"


def _stem(key: str, salt: bytes) -> str:
    """The salted key for the file name.

    Without the salt, anyone who guesses the data could confirm the guess by the name.
    """
    return hmac.new(salt, key.encode(), hashlib.sha256).hexdigest()


def _salt(folder: Path, *, make: bool = False) -> bytes:
    """The random salt of this folder. If it is lost, the cached rows cannot be used any more.

    Raises:
        OSError: there is no salt, or it cannot be created.
    """
    file = folder / SALT
    if make and not file.exists():
        handle, name = tempfile.mkstemp(dir=folder, prefix=SALT)  # 0600
        with os.fdopen(handle, "wb") as new:
            new.write(secrets.token_hex(32).encode())
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(name, file)  # atomic; with several processes the first one wins
        except FileExistsError:
            pass
        except OSError:  # no hard links here: the last process wins, and only its rows are found
            os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
    return file.read_bytes()


def key_of(parts: dict[str, Any]) -> str:
    """Cache key of everything that rows depend on; empty where a part is not known.

    Example:
        >>> key_of({"model": None, "code": "a"}), len(key_of({"model": "m"}))
        ('', 64)
    """
    if any(part is None for part in parts.values()):
        return ""
    return combined((name, json.dumps(part, sort_keys=True)) for name, part in parts.items())
