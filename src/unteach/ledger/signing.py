"""Sign a ledger's last hash with Ed25519, so that nobody else can rewrite its entries."""

import os
import stat
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.files.locks import turn
from unteach.files.text import read_text
from unteach.ledger.chain import broken

LARGEST = 2**16
PUBLIC = ".pub"  # suffix of the file of a public key
SIGNED = b"unteach ledger, entries up to the one with this hash\n"


def make_pair(file: Path) -> Path:
    """Make a private key in a file that only its owner can read, and a public key beside it.

    Returns:
        The file of the public key.

    Raises:
        UserError: one of the two files exists already.
    """
    ed25519, serial = _library()
    public = file.with_name(file.name + PUBLIC)
    with turn(file.absolute().parent):
        if there := [str(path) for path in (file, public) if path.exists()]:
            hint = "give another name; a key is never overwritten"
            raise UserError(Problem(there[0], "is there already", hint, "request"))
        key = ed25519.Ed25519PrivateKey.generate()
        plain = serial.NoEncryption()
        text = key.private_bytes(serial.Encoding.PEM, serial.PrivateFormat.PKCS8, plain)
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(handle, "wb") as opened:
            opened.write(text)
        form = serial.PublicFormat.SubjectPublicKeyInfo
        public.write_bytes(key.public_key().public_bytes(serial.Encoding.PEM, form))
    return public


def signed(head: str, file: Path) -> tuple[str, str]:
    """Sign a hash with the private key in a file; return public key and signature, in hex.

    Raises:
        UserError: the file holds no Ed25519 private key, or others can read it.
    """
    ed25519, serial = _library()
    key = _read(file, lambda data: serial.load_pem_private_key(data, None))
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UserError(_no_key(file, "private"))
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise UserError(Problem(str(file), "can be read by others", f"chmod 600 {file}"))
    return _raw(key.public_key()), key.sign(SIGNED + head.encode()).hex()


def read_public(file: Path) -> str:
    """Read a public key from a file; return it in hex, as in the ledger. Raises UserError."""
    ed25519, serial = _library()
    key = _read(file, serial.load_pem_public_key)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise UserError(_no_key(file, "public"))
    return _raw(key)


def holds(head: str, public: str, signature: str) -> bool:
    """Whether a signature of this hash by this key is valid."""
    ed25519, _ = _library()
    from cryptography.exceptions import InvalidSignature

    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), SIGNED + head.encode())
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def verified(
    signatures: list[dict[str, Any]], public: Path | None, ledger: str
) -> list[dict[str, Any]]:
    """Return the signatures by a public key, after verifying all; those by any key without one.

    Raises:
        UserError: a signature is invalid, or there is none.
    """
    for one in signatures:
        if not holds(one["of"], one["public"], one["signature"]):
            what = f"the signature in entry {one['entry']} was not made of the entries before"
            raise UserError(broken(ledger, what))
    wanted = read_public(public) if public else None
    found = [one for one in signatures if wanted in (None, one["public"])]
    if not found:
        by = f" by the key in {public}" if public else ""
        hint = "unteach ledger sign --private FILE signs it"
        raise UserError(Problem(ledger, f"is not signed{by}", hint))
    return found


def _read(file: Path, parse: Any) -> Any:
    hint = "give a key of `unteach ledger keypair`, or an Ed25519 key in PEM"
    text = read_text(file, largest=LARGEST, kind="request", hint=hint)
    try:
        return parse(text.encode())
    except (ValueError, TypeError):
        return None
    except Exception as error:
        if type(error).__name__ != "UnsupportedAlgorithm":
            raise
        return None


def _raw(key: Any) -> str:
    return key.public_bytes_raw().hex()


def _no_key(file: Path, kind: str) -> Problem:
    hint = "give a key of `unteach ledger keypair`, or an Ed25519 key in PEM without a password"
    return Problem(str(file), f"is no {kind} key of Ed25519", hint, "request")


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        hint = 'pip install "unteach[sign]"'
        raise UserError(Problem("signatures", "need cryptography", hint, "request")) from None
    return ed25519, serialization
