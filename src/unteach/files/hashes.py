"""Hashes of files as they were written: damage is seen before anything goes on from them.

They are against accidents (a bad disk, a copy cut short), not against somebody who means harm:
XXH3 reads 60 GB/s on one thread, BLAKE2b 0.9, and the disk is then what takes time.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import xxhash

from unteach.errors import UserError
from unteach.files.atomic import write_text
from unteach.files.text import read_text

BLOCK = 2**22
LARGEST = 2**24  # bytes of a record
SEAL = "xxh3_128"
Hashes = dict[str, list[Any]]
"""Size in bytes and hash of each file, by its path below a folder."""


def hashes(folder: Path, without: str) -> Hashes:
    """Of each file below a folder, of all names but one; reads every byte."""
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.name != without)
    return {f.relative_to(folder).as_posix(): hash_of(f) for f in files}


def hash_of(file: Path) -> list[Any]:
    """Size and hash of one file."""
    total, size = xxhash.xxh3_128(), 0
    with file.open("rb") as handle:
        while block := handle.read(BLOCK):
            total.update(block)
            size += len(block)
    return [size, total.hexdigest()]


def damage(folder: Path, known: Mapping[str, Any]) -> str:
    """What of a folder is not as it was written, in words; nothing when all is.

    Files that were not there are no damage. Sizes are looked at first, so that what is cut short is
    found without a read.

    Args:
        folder: where the files are.
        known: their `hashes`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a").write_bytes(b"whole")
        >>> known = hashes(folder, "")
        >>> damage(folder, known)
        ''
        >>> _ = (folder / "a").write_bytes(b"whale")
        >>> damage(folder, known)
        'a is not as it was written'
    """
    return next(what_changed(folder, known), "")


def what_changed(folder: Path, known: Mapping[str, Any]) -> Iterator[str]:
    """Each file of a list that is not as it was written, in words: first what is cut short."""
    whole = []
    for name, written in known.items():
        if not (isinstance(written, (list, tuple)) and len(written) == 2):
            yield "lists its files in no way that is known"
            return
        if (folder / name).is_file() and (folder / name).stat().st_size == written[0]:
            whole.append(name)
        else:
            yield f"lacks {name}, or a part of it"
    for name in whole:
        try:
            same = hash_of(folder / name) == list(known[name])
        except OSError as error:  # a disk that gives nothing back
            yield f"{name} cannot be read ({error.strerror})"
            continue
        if not same:
            yield f"{name} is not as it was written"


def write_sealed(file: Path, record: Mapping[str, Any]) -> None:
    """A record as JSON, with a hash of itself; whole, or what was there before."""
    held = json.loads(json.dumps(record))
    write_text(file, json.dumps({**held, SEAL: _seal(held)}))


def read_sealed(file: Path) -> dict[str, Any] | None:
    """What `write_sealed` wrote; None where that is not there, or not as it was written."""
    try:
        held = json.loads(read_text(file, largest=LARGEST))
    except (UserError, ValueError, RecursionError):
        return None
    if not isinstance(held, dict) or held.pop(SEAL, None) != _seal(held):
        return None
    return held


def _seal(held: dict[str, Any]) -> str:
    return xxhash.xxh3_128(json.dumps(held, sort_keys=True).encode()).hexdigest()
