"""Make and read the key of a ledger's fingerprints, a file beside the ledger."""

import os
import re
import secrets
import stat
from hashlib import blake2b
from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.files.atomic import flush_names
from unteach.files.locks import turn
from unteach.files.text import read_text

BYTES = 32
WRITTEN = re.compile(r"[0-9a-f]{64}\n?")
CHECKED = b"the key of a ledger"


def key_file(ledger: Path) -> Path:
    """Return the default key file of a ledger, beside it.

    Example:
        >>> key_file(Path("removals.ledger")).name
        'removals.ledger.key'
    """
    return ledger.with_name(f"{ledger.name}.key")


def make_key(file: Path) -> bytes:
    """Make a random key in a file that only its owner can read (mode 0600), and return it.

    An existing key is returned unchanged: it was left by an interrupted `init`, or is to be shared
    by several ledgers.
    """
    # Of two processes, the second one reads the key of the first.
    with turn(file.absolute().parent):
        return read_key(file) if file.exists() else _made(file)


def _made(file: Path) -> bytes:
    beside = file.with_name(f".{file.name}.{secrets.token_hex(3)}")
    key = secrets.token_bytes(BYTES)
    try:
        with open(beside, "x", encoding="ascii", opener=_private) as handle:
            handle.write(key.hex() + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, file)  # a hard link would leave a second name if interrupted
        flush_names(file.absolute().parent)
    finally:
        beside.unlink(missing_ok=True)
    return key


def read_key(file: Path) -> bytes:
    """Read the key in a file.

    Raises:
        UserError: there is no file, others can read it, or it holds no key.
    """
    if not file.exists():
        hint = (
            "give its place with --key; if it was destroyed, fingerprints can neither be made nor "
            "compared any more, so that screening and rechecking are impossible"
        )
        raise UserError(Problem(str(file), "does not exist: the ledger's key", hint, "request"))
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise UserError(Problem(str(file), "can be read by others", f"chmod 600 {file}"))
    text = read_text(file, largest=1024)
    if not WRITTEN.fullmatch(text):
        hint = "restore it from a copy"
        raise UserError(Problem(str(file), "is no key of a ledger", hint))
    return bytes.fromhex(text.strip())


def check_of(key: bytes) -> str:
    """Return the value by which a ledger recognises its key; it does not reveal the key."""
    return blake2b(CHECKED, key=key, digest_size=16).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
