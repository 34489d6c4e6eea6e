"""What tells one run from another: all that decides its result."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unteach.checks.request import CheckedRequest
from unteach.evaluation.hashes import code_hash, combined, data_hash, file_hash, model_hash
from unteach.settings.request import Request
from unteach.types import ROLES


def identity_of(intake: CheckedRequest) -> tuple[str, str | None]:
    """A hash of all that decides a result: request, model, data and code; in two forms.

    Whoever guesses short data can confirm it by the first, so it is kept salted, for its user
    alone. The second may stand in a result: of the files of data it takes size and times of change.

    Returns:
        The first; the second, None where some data is in no file of this machine.
    """
    from unteach.suites import Group

    request = intake.request
    named = [getattr(request, role) for role in ROLES] + [*request.evaluate.also.values()]
    beside = [Path(file) for file in (*request.plugins, request.data.refusals) if file]
    files = [*(Path(source) for source in named if source), *beside]
    groups = {name: Group(examples=group) for name, group in intake.groups.items()}
    told = _open(request)
    secret = {"data": data_hash(groups), "files": [file_hash(file) for file in beside]}
    identity = _combined({**told, **secret})
    if not all(file.is_file() for file in files):
        return identity, None
    return identity, _combined({**told, "files": [_age(file) for file in files]})


def version_of_bits(request: Request) -> dict[str, str]:
    """The version of what made them, where a run had any."""
    some = request.adapter.bits or request.evaluate.bits
    return {"bitsandbytes": version("bitsandbytes")} if some else {}


def _age(file: Path) -> tuple[int, ...]:
    """Size and times of change; the last, unlike the one before, nobody can put back."""
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _open(request: Request) -> dict[str, Any]:
    """What tells nothing of the data."""
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
