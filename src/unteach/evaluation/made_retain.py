"""Let the original write the retain examples of `--retain made`, before a run begins."""

from dataclasses import replace
from typing import Any

from unteach.checks.request import CheckedRequest
from unteach.data import encode_all
from unteach.errors import Problem, UserError
from unteach.processes.main import own_device, shared
from unteach.progress import ProgressListener
from unteach.settings.request import MADE

FEWEST = 8  # examples of which a retain term is of any use
OWN = "give --retain a file of what the model should keep"


def with_made_retain(intake: CheckedRequest, listener: ProgressListener) -> CheckedRequest:
    """Return the checked request with the retain examples of `--retain made`, else unchanged.

    The main process loads the original and lets it write; the texts are kept in memory alone, and
    are the same each time. They are trained on like those of a retain file, and evaluated nowhere:
    they show what this one model says, not what is right.

    Raises:
        UserError: what the model wrote is of no use: nearly all of it is empty, or shows a name or
            an answer of the forget set.
    """
    request = intake.request
    if request.retain != MADE:
        return intake
    from unteach.models.finite import require_numbers
    from unteach.models.loading import load_model
    from unteach.training.made_retain import make_retain

    def make() -> Any:
        model = load_model(
            request.model, dtype=request.dtype, device=own_device(request.device),
            trust_remote_code=request.trust_remote_code,
        )  # fmt: skip
        require_numbers(model, f"--model {request.model}")
        return make_retain(
            model, intake.tokenizer, intake.groups["forget"], intake.sequences["forget"],
            max_length=request.data.max_length or 2048, template=request.data.template,
            seed=request.train.seed,
        )  # fmt: skip

    listener.stage("letting the model write what it should keep")
    made = shared(make)
    if len(made.examples) < FEWEST:
        what = f"the model wrote {len(made.examples)} texts of use, and {FEWEST} are needed"
        raise UserError(Problem("--retain made", what, OWN, "request"))
    sequences, problems = encode_all(
        made.examples,
        intake.tokenizer,
        max_length=request.data.max_length or 2048,
        template=request.data.template,
    )
    notes = [*problems, _note(made)]
    listener.notes(notes)
    return replace(
        intake,
        sequences={**intake.sequences, "retain": sequences},
        notes=(*intake.notes, *notes),
    )


def _note(made: Any) -> Problem:
    ordinary = len(made.examples) - made.neighbours
    what = (
        f"the model wrote {made.neighbours} answers about invented people and {ordinary} on "
        "ordinary things: it is trained to keep these, and no number of the report is about them"
    )
    return Problem("--retain made", what, f"where you have one, {OWN}: it keeps more", "note")
