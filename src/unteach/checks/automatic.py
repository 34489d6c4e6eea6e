"""Choose the method for `--method auto`: unseen if the data allow a teacher, otherwise undial."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unteach.errors import Problem
from unteach.settings.request import Request
from unteach.types import Sequence

AUTO, FIRST, ELSE = "auto", "unseen", "undial"
SOURCES = {
    "base": "what the base model says of the answers",
    "stranger": "what the model says of people whom it never met",
    "level": "the model's own distribution, lowered to the holdout's level",
    "strangers": "the mean of what the model says of several people whom it never met",
}
BASE = "give --base, the model before fine-tuning, where you have it: it needs no names to replace"
NEARER = {"stranger": BASE, "level": BASE}
KEPT = "what the model says of them stays"
NAME = "name whom they are about in a `subject` column"
HELPS = (
    "give --base, the model before fine-tuning, or --holdout, such texts as it never saw, or name "
    "whom the records are about in a `subject` column"
)


def method_of(request: Request) -> Any:
    """Build the method of a request; the first choice for "auto". Raises UserError."""
    name = FIRST if request.method_name == AUTO else request.method_name
    return _built(name, request, request.method_options, holdout=bool(request.holdout))


def without_teacher(request: Request, found: Problem) -> tuple[Any, Problem] | None:
    """Return the method that needs no teacher where the data allow none, and a note that says so.

    None where `found` is only a note, and where the user asked for a teacher.
    """
    auto = request.method_name == AUTO
    name, options = (ELSE, {}) if auto else (request.method_name, request.method_options)
    method = _built(name, request, options, holdout=False)
    if found.kind != "request" or method.reads_teacher():
        return None
    if auto:
        what = f"auto is {ELSE} here: {found.what}"
        return method, replace(found, where="--method", what=what, kind="note")
    what = f"{found.what}; without one it is as its paper has it"
    return method, replace(found, what=what, kind="note")


def _built(name: str, request: Request, options: Mapping[str, Any], *, holdout: bool) -> Any:
    from unteach.methods import build

    retain = bool(request.retain and request.train.retain != "none")
    usual = type(build(name, dict(options))).defaults_for(retain=retain, holdout=holdout)
    return build(name, {**usual, **options})


def teacher_problem(
    request: Request,
    method: Any,
    sequences: Mapping[str, list[Sequence]],
    calibration: list[Sequence],
    tokenizer: Any,
) -> Problem | None:
    """Find which teacher the data allow a method, or why none; runs no model.

    Args:
        request: its method, base and seed are used.
        method: the method, built with its options.
        sequences: tokenised examples by role.
        calibration: tokenised holdout examples that set the level.
        tokenizer: of the model.

    Returns:
        None for a method without a teacher; a note with the teacher's source for "auto"; a note if
        some examples have no name to replace; a problem if the data allow no teacher.
    """
    if not method.reads_teacher() or not sequences.get("forget"):
        return None
    from unteach.teachers import TeacherInputs, Unavailable

    def level(found: list[Sequence]) -> list[list[float]]:
        return [[-1.0] * sum(s.answer) for s in found]

    inputs = TeacherInputs(
        forget=sequences["forget"],
        retain=sequences.get("retain", []),
        holdout=calibration,
        tokenizer=tokenizer,
        logps=level,
        base_logps=level if request.base else None,
        seed=request.train.seed,
    )
    try:
        teacher = method.teach(inputs)
    except Unavailable as error:
        what = f"these data allow {method.name} no teacher: {error}"
        return Problem(f"--method {method.name}", what, error.hint or HELPS, "request")
    source, nameless = teacher.source, teacher.facts.get("teacher_without_name", 0)
    some = f"{nameless} of {len(teacher.sequences)} forget examples have no name to replace: "
    some += KEPT if source == "strangers" else "they get the mean level of the others"
    if request.method_name != AUTO:
        return Problem("--forget", some, NAME, "note") if nameless else None
    what = f"auto is {method.name} here, towards {SOURCES.get(source, source)}"
    what += f"; {some}" if nameless else ""
    return Problem("--method", what, NEARER.get(source, ""), "note")
