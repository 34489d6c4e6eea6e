"""Read from a result of `unteach run` what the ledger records: hashes, versions, no text."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.evaluation.hashes import model_hash
from unteach.evaluation.verify import verify
from unteach.files import RUN, listed_files, read_sealed
from unteach.ledger.prints import Fingerprint
from unteach.models.source import holds_adapters_only, weight_files
from unteach.settings.request import FILE, Request, load


@dataclass(frozen=True)
class FoundResult:
    """A verified result of a run.

    Attributes:
        child: hash of the unlearned model.
        parent: hash of the model that it was made from.
        request: the request of the run.
        run: hashes and versions for the ledger.
    """

    child: str
    parent: str
    request: Request
    run: dict[str, Any]


def find(folder: Path, before: str | None = None) -> FoundResult:
    """Read a result, after verifying each of its files.

    Args:
        folder: a folder that `unteach run` wrote.
        before: the model before unlearning, if it was moved since.

    Raises:
        UserError: the folder is no result or was changed, or the model before does not exist.
    """
    files = listed_files(folder) if folder.is_dir() else {}
    if not files or not (folder / FILE).is_file():
        what, hint = "is no result of a run", "give the folder that `unteach run` wrote (--out)"
        raise UserError(Problem(str(folder), what, hint, "request"))
    verify(folder)
    request = load(folder / FILE)
    of_base = request.method_name == "retrain" and request.base
    parent = before or (request.base if of_base else None) or request.model
    held = read_sealed(folder / RUN) or {}
    facts = held.get("facts", {})
    names = ("unteach", "torch", "transformers", "peft", "accelerate")
    run = {
        "mark": held.get("mark"),
        "files": sha256(json.dumps(files, sort_keys=True).encode()).hexdigest(),
        "versions": {name: facts[name] for name in names if name in facts},
        "recorded_by": version("unteach"),
        "gates": facts.get("gates"),
    }
    return FoundResult(identity(str(folder)), identity(str(parent), "--before"), request, run)


def identity(model: str, flag: str = "model") -> str:
    """Return the hash of a model's weights, configuration and tokenizer; of a hub id, its commit.

    Args:
        model: a folder or a hub id.
        flag: name of the option, for messages.

    Raises:
        UserError: the model is not on this machine, or its weights cannot be identified.
    """
    folder = Path(model)
    has = not folder.is_dir() or weight_files(model) or holds_adapters_only(folder)
    try:
        found = model_hash(model) if has else None
    except ValueError:  # no valid hub id
        found = None
    if found is None:
        hint = "give a folder with a model in it, or a hub id with its commit (owner/name@...)"
        what = "is no model on this machine whose weights can be identified"
        raise UserError(Problem(f"{flag} {model}", what, hint, "request"))
    return found


def lacking(asked: Iterable[Fingerprint], removed: Iterable[Fingerprint]) -> list[int]:
    """Return the numbers of a request's records that a run's forget file lacks, by their words.

    Args:
        asked: fingerprints of the request's records.
        removed: fingerprints of the run's forget file.
    """
    there = {p.normal for p in removed if p.part == "whole"}
    return [p.record for p in asked if p.part == "whole" and p.normal not in there]
