"""Check before training that the model knows the forget answers at all."""

from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.files.rows import Groups
from unteach.metrics.known import KnownAnswers, known
from unteach.report.answers import listed
from unteach.report.table import number
from unteach.settings.request import Request

SHOWN = 12  # maximum number of answers that a note lists


def require_known(rows: Groups, request: Request) -> list[Problem]:
    """Notes on how well the original model knows the forget answers.

    Args:
        rows: of the original model.
        request: with every default filled in.

    Raises:
        UserError: the model clearly knows none of them, and `train_anyway` is not set.
    """
    names = request.forget, request.holdout, request.data.template
    notes = known_notes(rows, *names)
    found = known(rows)
    if found and found.never and not request.train_anyway:
        what = f"{_never(found)}: there is nothing to forget, so nothing was trained"
        hint = f"{_look(request.data.template)}; with --train-anyway it is trained all the same"
        raise UserError(Problem(f"--forget {request.forget}", what, hint))
    return notes


def known_notes(
    rows: Groups, forget: str | Path | None, holdout: str | Path | None, template: str
) -> list[Problem]:
    """Notes on forget answers that the original model does not know; empty where it knows all.

    Args:
        rows: of the original model.
        forget: the forget file, as the user gave it.
        holdout: the holdout file.
        template: how prompts and answers were joined.
    """
    found = known(rows)
    if found is None:
        return []
    where, look = f"--forget {forget}", _look(template)
    if found.never:
        return [Problem(where, f"{_never(found)}: there is nothing to forget", look, "note")]
    if found.spent:
        what = (
            "--model gives half of these answers or more word for word: it knows them too, or "
            "anyone would guess them, so they tell nothing of texts that it never saw"
        )
        hint = "give texts like the forget set that it was never trained on"
        return [Problem(f"--holdout {holdout}", what, hint, "note")]
    if found.faint:
        beside = " than of holdout answers" if found.holdout is not None else ""
        what = (
            f"--model gives {_some(found)} of {_these(found)}, and no more can be "
            f"drawn out of it{beside}: only their probability of {_per_token(found)} may tell that "
            "it ever knew them"
        )
        return [Problem(where, what, look, "note")]
    if not found.unknown:
        return []
    level = "below 0.05 per token"
    if found.holdout is not None:
        level = f"no likelier than holdout answers are in the mean, {number(found.holdout)}"
    what = f"{len(found.unknown)} of {found.asked} answers were hardly known before ({level})"
    return [Problem(where, f"{what}: {listed(found.unknown, SHOWN)}", "", "note")]


def _never(found: KnownAnswers) -> str:
    return (
        f"--model does not know {_these(found)}, in this wording at least: it gives "
        f"{_some(found)} of them, at a probability of {_per_token(found)}"
    )


def _these(found: KnownAnswers) -> str:
    return "the one answer" if found.asked == 1 else f"these {found.asked} answers"


def _some(found: KnownAnswers) -> str:
    return str(found.given) if found.given else "none"


def _per_token(found: KnownAnswers) -> str:
    beside = ""
    if found.holdout is not None:
        beside = f" (that of holdout answers, which it never saw, is {number(found.holdout)})"
    return f"{number(found.probability)} per token{beside}"


def _look(template: str) -> str:
    return (
        "look whether --model is the one that was trained on them, whether it was trained with "
        f"this template (it is {template} here), and whether they were "
        "forgotten already"
    )
