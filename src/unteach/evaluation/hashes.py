"""Hash everything that rows depend on: model, examples, code and library versions."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version

from unteach.evaluation.imports import ROOT, sources_of
from unteach.models.hashes import combined, file_hash, model_hash
from unteach.suites import Group

__all__ = ["code_hash", "combined", "data_hash", "file_hash", "model_hash"]

LIBRARIES = ("unteach", "torch", "transformers", "tokenizers", "peft", "rouge-score")
ASKING = ("evaluation.rows", "suites")
"""Modules that compute rows; hashed together with everything they import."""


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


def _group(group: Group) -> str:
    fields = asdict(group)
    for example in fields["examples"]:
        del example["where"]
    return json.dumps(fields, sort_keys=True)
