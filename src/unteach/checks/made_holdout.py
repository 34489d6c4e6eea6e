"""Make the holdout of `--holdout made` from the forget and the retain examples."""

from typing import Any

from unteach.data import encode_all
from unteach.data.calibration import FEW
from unteach.errors import Problem, UserError
from unteach.settings.request import Request
from unteach.types import Example, Sequence

OWN = "write questions of the same form about people who do not exist, and give them as --holdout"


def made_holdout_of(
    request: Request,
    tokenizer: Any,
    groups: dict[str, list[Example]],
    sequences: dict[str, list[Sequence]],
) -> list[Problem]:
    """Add a made holdout to the examples and the sequences, and return notes on it.

    Raises:
        UserError: the retain file has few names to take, or fewer than 16 examples can be made:
            no names are found, or hardly any two questions have one form.
    """
    from unteach.teachers.names import people_of
    from unteach.teachers.renamed import made_holdout, named_examples, new_names
    from unteach.teachers.stranger import FEW_NAMES

    beside, tokens = groups.get("retain", []), sequences.get("retain", [])
    forget, subjects = named_examples(groups["forget"], sequences["forget"], tokenizer)
    retain, others = named_examples(beside, tokens, tokenizer)
    if len({person for subject in others for person in people_of(subject)}) < FEW_NAMES:
        what = f"takes the names of other people, and the retain file has fewer than {FEW_NAMES}"
        hint = f"give --retain a file about other people of the same kind, or {OWN}"
        raise UserError(Problem("--holdout made", what, hint, "request"))
    names = new_names(subjects, others, request.train.seed)
    made = made_holdout(forget, [*forget, *retain], names)
    if len(made) < FEW:
        what = (
            f"can be made of {len(made)} of {len(groups['forget'])} forget examples, and at least "
            f"{FEW} are needed: it takes questions of one form about several people (a name was "
            f"found in {len(forget)})"
        )
        raise UserError(Problem("--holdout made", what, OWN, "request"))
    groups["holdout"] = made
    sequences["holdout"], problems = encode_all(
        made,
        tokenizer,
        max_length=request.data.max_length or 2048,
        template=request.data.template,
    )
    what = (
        f"{len(made)} questions of the forget set about people of no file, with answers given of "
        "others, stand for what the model never saw"
    )
    hint = "give a file of texts that it truly never saw where you have one: it judges better"
    return [*problems, Problem("--holdout made", what, hint, "note")]
