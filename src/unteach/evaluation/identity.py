"""Hash everything that decides the result of a run: request, model, data and code."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unteach.checks.request import CheckedRequest
from unteach.evaluation.hashes import code_hash, combined, data_hash, file_hash, model_hash
from unteach.settings.request import Request
from unteach.types import ROLES


def identity_of(intake: CheckedRequest) -> tuple[str, str | None]:
    """Two hashes of request, model, data and code: a secret one and a public one.

    The secret one includes the data: anyone who guesses short data could confirm the guess by it,
    so it is stored salted and readable by its user only. The public one may be written into
    results: of the data files it includes only size and times of change.

    Returns:
        The secret hash and the public one; the latter is None where some data is not a local file.
    """
    from unteach.suites import Group

    request = intake.request
    named = [request.source(role) for role in ROLES] + [*request.evaluate.also.values()]
    named += [one.source for one in intake.earlier if one.examples]
    beside = [Path(file) for file in (*request.plugins, request.data.refusals) if file]
    files = [*(Path(source) for source in named if source), *beside]
    whole = {f"whole {role}": examples for role, examples in intake.whole.items()}
    groups = {name: Group(examples=group) for name, group in {**intake.groups, **whole}.items()}
    public = _public_parts(request)
    secret = {"data": data_hash(groups), "files": [file_hash(file) for file in beside]}
    trained = {name: value for name, value in public["request"].items() if name != "attack"}
    identity = _combined({**public, **secret, "request": trained})  # attacks change no training
    if not all(file.is_file() for file in files):
        return identity, None
    return identity, _combined({**public, "files": [_age(file) for file in files]})


def version_of_bits(request: Request) -> dict[str, str]:
    """The version of bitsandbytes, if the run uses quantized weights; else empty."""
    quantized = request.adapter.bits or request.evaluate.bits
    return {"bitsandbytes": version("bitsandbytes")} if quantized else {}


def _age(file: Path) -> tuple[int, ...]:
    """Size, mtime and ctime of a file; unlike the mtime, the ctime cannot be set back."""
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _public_parts(request: Request) -> dict[str, Any]:
    """The parts of the identity that reveal nothing about the data."""
    named = (request.model, request.retrained, request.base)
    models = [model for model in named if model]
    return {
        "request": request.asked(),
        "models": [model_hash(model) or model for model in models],
        "code": code_hash(None),
        "training": {"accelerate": version("accelerate"), **version_of_bits(request)},
    }


def _combined(parts: dict[str, Any]) -> str:
    return combined((name, json.dumps(part, sort_keys=True)) for name, part in parts.items())
