"""Hash everything that rows depend on: model, examples, code and library versions."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from unteach.evaluation.imports import ROOT, sources_of
from unteach.models.source import commit_of, pinned
from unteach.models.unchanged import weighty
from unteach.suites import Group

LIBRARIES = ("unteach", "torch", "transformers", "tokenizers", "peft", "rouge-score")
ASKING = ("evaluation.rows", "suites")
"""Modules that compute rows; hashed together with everything they import."""
BLOCK = 2**22
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


def data_hash(groups: Mapping[str, Group]) -> str:
    """Hash of all examples and the settings of their groups, not of the files they came from."""
    return combined((name, _group(group)) for name, group in groups.items())


@cache
def code_hash(names: tuple[str, ...] | None = ASKING) -> str:
    """Hash of unteach's source files and the versions of its libraries.

    Args:
        names: modules and packages, hashed with everything they import; by default those that
            compute rows; None for all of unteach.
    """
    files = sorted(ROOT.rglob("*.py")) if names is None else sources_of(names)
    named = ((str(f.relative_to(ROOT)), file_hash(f)) for f in files)
    return combined([*named, *((name, version(name)) for name in LIBRARIES)])


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


def _group(group: Group) -> str:
    fields = asdict(group)
    for example in fields["examples"]:
        del example["where"]
    return json.dumps(fields, sort_keys=True)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            total.update(block)
    return total.hexdigest()
