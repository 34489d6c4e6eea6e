"""Lock the folder of a search, and identify the search that it belongs to."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.files import in_words, read_sealed, write_sealed
from unteach.files.locks import FILE, Lock

KEY = "work.json"


@contextmanager
def working(out: Path, identity: str, ours: tuple[str, ...], *, overwrite: bool) -> Iterator[bool]:
    """Open a folder for the work with that identity; yields whether it goes on with earlier work.

    The identity is kept salted: a guess of short data cannot be confirmed with it.

    Args:
        out: the folder.
        identity: hash of everything that the work depends on, data among it.
        ours: names that earlier work may have put there; nothing else is ever removed.
        overwrite: remove what other work has put there.

    Raises:
        UserError: the folder has other things in it, or another process works there.
    """
    with in_words(out):
        out.mkdir(parents=True, exist_ok=True)
        lock = Lock(out)
        if not lock.take():
            hint = "wait for its end, or give another folder"
            raise UserError(Problem(f"--out {out}", "is being written by another", hint))
        try:
            yield _opened(out, identity, ours, overwrite=overwrite)
        finally:
            lock.free()


def _opened(out: Path, identity: str, ours: tuple[str, ...], *, overwrite: bool) -> bool:
    held = read_sealed(out / KEY)
    if held and held.get("key") == _key(str(held.get("salt")), identity):
        return True
    others = [path for path in out.iterdir() if path.name != FILE]
    if others and not (held and overwrite):
        what = "is not empty"
        if held:
            what = "holds work on another request, or on data or a model that have changed"
        hint = "give another folder" + (", or --overwrite to begin anew there" if held else "")
        raise UserError(Problem(f"--out {out}", what, hint, "request"))
    for name in (*ours, KEY):
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    salt = secrets.token_hex(16)
    write_sealed(out / KEY, {"salt": salt, "key": _key(salt, identity)})
    return False


def identity_with(identity: str, more: dict) -> str:
    """Return an identity that depends on some settings too."""
    return f"{identity} {json.dumps(more, sort_keys=True)}"


def _key(salt: str, identity: str) -> str:
    return hashlib.sha256(f"{salt} {identity}".encode()).hexdigest()
