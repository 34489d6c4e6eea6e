"""Hash a model: its weights, configuration and tokenizer, or the commit of a hub id."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from unteach.models.source import commit_of, pinned
from unteach.models.unchanged import weighty

THREADS = 4  # hashlib releases the GIL


def model_hash(path: str) -> str | None:
    """Hash of a model: of its weights, configuration and tokenizer, or the commit of a hub id.

    Args:
        path: a folder or a hub id.

    Returns:
        None where the commit of a hub id is not known.
    """
    folder = Path(path)
    if not folder.is_dir():
        return pinned(path) if commit_of(path) else None
    files = weighty(folder)
    with ThreadPoolExecutor(THREADS) as pool:
        return combined(zip((f.name for f in files), pool.map(file_hash, files), strict=True))


def combined(parts: Iterable[tuple[str, str]]) -> str:
    """Hash of named hashes, in their order.

    Example:
        >>> combined([("a", "1")]) == combined([("a", "1")]) != combined([("a", "2")])
        True
    """
    total = hashlib.sha256()
    for name, part in parts:
        total.update(f"{len(name)} {name} {len(part)} {part}\n".encode())
    return total.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
