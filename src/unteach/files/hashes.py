"""Hash files when they are written, to detect damage before a run resumes from them.

The hashes protect against accidents (a bad disk, a truncated copy), not against attackers: XXH3
reads 60 GB/s on one thread, BLAKE2b 0.9 GB/s, so that only the disk limits the speed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import xxhash

from unteach.errors import UserError
from unteach.files.atomic import write_text
from unteach.files.text import read_text

LARGEST = 2**24  # bytes of a record
SEAL = "xxh3_128"
Hashes = dict[str, list[Any]]
"""Size in bytes and hash of each file, by its path relative to a folder."""


def hashes(folder: Path, without: str) -> Hashes:
    """Hash each file below a folder, except those named `without`; reads every byte.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a").write_bytes(b"whole"), (folder / "run.json").write_bytes(b"{}")
        >>> list(hashes(folder, "run.json"))
        ['a']
    """
    return {n: hash_of(file) for n, file in files_below(folder).items() if file.name != without}


def files_below(folder: Path) -> dict[str, Path]:
    """Return every file below a folder by its path relative to it, sorted."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file for file in files}


def hash_of(file: Path) -> list[Any]:
    """Return size and hash of one file."""
    with file.open("rb") as handle:
        total: Any = hashlib.file_digest(handle, xxhash.xxh3_128)  # type: ignore[arg-type]
        return [handle.tell(), total.hexdigest()]


def damage(folder: Path, known: Mapping[str, Any]) -> str:
    """Describe the first damaged file of a folder; an empty string if there is none.

    Additional files are no damage. Sizes are compared first, so that truncated files are found
    without reading.

    Args:
        folder: of the files.
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
    """Describe each damaged file of a list; those with a wrong size come first."""
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
        except OSError as error:  # a failing disk
            yield f"{name} cannot be read ({error.strerror})"
            continue
        if not same:
            yield f"{name} is not as it was written"


def write_sealed(file: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON with a hash of itself, atomically."""
    held = json.loads(json.dumps(record))
    write_text(file, json.dumps({**held, SEAL: _hash_of_record(held)}))


def read_sealed(file: Path) -> dict[str, Any] | None:
    """Read what `write_sealed` wrote; None if it is missing or damaged."""
    try:
        held = json.loads(read_text(file, largest=LARGEST))
    except (UserError, ValueError, RecursionError):
        return None
    if not isinstance(held, dict) or held.pop(SEAL, None) != _hash_of_record(held):
        return None
    return held


def _hash_of_record(held: dict[str, Any]) -> str:
    return xxhash.xxh3_128(json.dumps(held, sort_keys=True).encode()).hexdigest()
