"""The key of a ledger's fingerprints: a file beside it, and without it they tell nothing."""

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
    """Where a ledger's key lies unless it is said: beside it.

    Example:
        >>> key_file(Path("removals.ledger")).name
        'removals.ledger.key'
    """
    return ledger.with_name(f"{ledger.name}.key")


def make_key(file: Path) -> bytes:
    """A new random key in a file that its owner alone can read (mode 0600), or the one there is.

    One that is there was left by an `init` that was cut off, or is meant to be shared.
    """
    with turn(file.absolute().parent):  # of two at once the second finds the first one's
        return read_key(file) if file.exists() else _made(file)


def _made(file: Path) -> bytes:
    beside = file.with_name(f".{file.name}.{secrets.token_hex(3)}")
    key = secrets.token_bytes(BYTES)
    try:
        with open(beside, "x", encoding="ascii", opener=_private) as handle:
            handle.write(key.hex() + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, file)  # a link would leave a second name when cut off
        flush_names(file.absolute().parent)
    finally:
        beside.unlink(missing_ok=True)
    return key


def read_key(file: Path) -> bytes:
    """The key in a file.

    Raises:
        UserError: there is none, it is readable by others, or it is no key.
    """
    if not file.exists():
        hint = (
            "say where it is (--key); where it was destroyed, fingerprints can neither be made "
            "nor compared any more, and what they were of cannot be screened for"
        )
        raise UserError(Problem(str(file), "is not there: the ledger's key", hint, "request"))
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise UserError(Problem(str(file), "can be read by others", f"chmod 600 {file}"))
    text = read_text(file, largest=1024)
    if not WRITTEN.fullmatch(text):
        hint = "take it from a copy"
        raise UserError(Problem(str(file), "is no key of a ledger", hint))
    return bytes.fromhex(text.strip())


def check_of(key: bytes) -> str:
    """What a ledger keeps of its key, to know it again; the key cannot be found from it."""
    return blake2b(CHECKED, key=key, digest_size=16).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
