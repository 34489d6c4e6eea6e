"""Check what a request reads and writes: its files and folders."""

from pathlib import Path

from unteach.data import read
from unteach.errors import Problem, UserError
from unteach.files import overlap
from unteach.metrics.earlier import is_earlier
from unteach.settings.request import FILE, Request, load
from unteach.types import ROLES, Example


def read_groups(request: Request) -> tuple[dict[str, list[Example]], list[Problem]]:
    """Read the examples of each role and of each further group that is evaluated."""
    groups, problems = {}, list[Problem]()
    sources = {role: request.source(role) for role in ROLES} | request.evaluate.also
    for role, source in sources.items():
        if source:
            groups[role], found = read(source, role)
            problems += found
    for name in filter(is_earlier, request.evaluate.also):
        what, hint = "is taken by earlier requests", "give another name"
        problems.append(Problem(f"evaluate.also.{name}", what, hint, "request"))
    for name in set(ROLES) & set(request.evaluate.also):
        hint = f"give --{name}, or another name"
        problems.append(Problem(f"evaluate.also.{name}", "is taken", hint, "request"))
    return groups, problems


def overlapping_inputs(request: Request) -> list[Problem]:
    """Find inputs that the result would replace."""
    named = [("--model", request.model), ("--retrained", request.retrained)]
    named += [("--base", request.base)]
    named += [(f"--{role}", request.source(role)) for role in ROLES]
    named += [(f"evaluate.also.{name}", file) for name, file in request.evaluate.also.items()]
    named += [("--plugin", plugin) for plugin in request.plugins]
    named += [("--after", folder) for folder in request.after]
    return overlap(request.out, [*named, ("data.refusals", request.data.refusals)])


def is_done(request: Request) -> bool:
    """Whether `out` holds the result of this request; the run compares the data later.

    Then nothing is written, so `out` need not be writable.
    """
    try:
        return not request.overwrite and load(request.out / FILE).asked() == request.asked()
    except UserError:
        return False


def written(request: Request) -> int:
    """Return the minimum bytes of weights that a run writes; 0 if unknown."""
    if request.adapter_only or request.dtype != "auto":
        return 0
    return sum(file.stat().st_size for file in Path(request.model).glob("model*.safetensors"))
