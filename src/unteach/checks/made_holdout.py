"""Make a holdout from the forget and the retain examples: it judges, or sets a level alone."""

from dataclasses import replace
from typing import Any

from unteach.data import encode_all
from unteach.data.calibration import FEW
from unteach.errors import Problem, UserError
from unteach.settings.request import Request
from unteach.suites.own import sample
from unteach.types import Example, Sequence

QUESTIONS, DONORS = 400, 2000  # forget and retain examples that are looked at: pairs are compared
Groups = dict[str, list[Example]]
Sequences = dict[str, list[Sequence]]

OWN = "write questions of the same form about people who do not exist, and give them as --holdout"


def made_holdout_of(
    request: Request, tokenizer: Any, groups: Groups, sequences: Sequences
) -> list[Problem]:
    """Add the holdout of `--holdout made` to the examples and the sequences; return notes on it.

    Raises:
        UserError: as `made_examples` does.
    """
    made = made_examples(request, tokenizer, groups, sequences, "--holdout made")
    groups["holdout"] = made
    sequences["holdout"], problems = encode_all(made, tokenizer, **request.data.encoding)
    what = f"{_counted(made)} stand for what the model never saw"
    hint = "give a file of texts that it truly never saw where you have one: it judges better"
    return [*problems, Problem("--holdout made", what, hint, "note")]


def made_calibration(
    request: Request, wanted: Request, tokenizer: Any, groups: Groups, sequences: Sequences
) -> tuple[Request, list[Sequence], list[Problem]]:
    """Return made examples for `train.draw_back=made`, which judge nothing.

    Args:
        request: with all defaults.
        wanted: as the user wrote it. Where they did not ask for "made" and none can be made,
            nothing is drawn back.
        tokenizer: of the model.
        groups: examples by role.
        sequences: the same, tokenised.

    Raises:
        UserError: as `made_examples` does, if the user asked for it.
    """
    where = "train.draw_back"
    try:
        made = made_examples(request, tokenizer, groups, sequences, f"{where}=made")
    except UserError:
        if wanted.train.draw_back == "made":
            raise
        train = request.train.model_copy(update={"draw_back": "never"})
        return request.model_copy(update={"train": train}), [], []
    made = [replace(example, id=f"made-{k}") for k, example in enumerate(made)]
    found, problems = encode_all(made, tokenizer, **request.data.encoding)
    what = f"without a holdout file, {_counted(made)} set how far the model is drawn back"
    hint = "give --holdout texts that the model never saw: they do it better, and judge the result"
    return request, found, [*problems, Problem(where, what, hint, "note")]


def made_examples(
    request: Request, tokenizer: Any, groups: Groups, sequences: Sequences, flag: str
) -> list[Example]:
    """Return questions about invented people, with answers given of others.

    Raises:
        UserError: the retain file has few names to take, or fewer than 16 examples can be made:
            no names are found, or hardly any two questions have one form.
    """
    from unteach.teachers.names import people_of
    from unteach.teachers.renamed import made_holdout, named_examples, new_names
    from unteach.teachers.stranger import FEW_NAMES

    seed = request.train.seed
    beside, tokens = groups.get("retain", []), sequences.get("retain", [])
    forget, subjects = named_examples(
        groups["forget"], sample(sequences["forget"], QUESTIONS, seed), tokenizer
    )
    retain, others = named_examples(beside, sample(tokens, DONORS, seed), tokenizer)
    if len({person for subject in others for person in people_of(subject)}) < FEW_NAMES:
        what = f"takes the names of other people, and the retain file has fewer than {FEW_NAMES}"
        hint = f"give --retain a file about other people of the same kind, or {OWN}"
        raise UserError(Problem(flag, what, hint, "request"))
    names = new_names(subjects, others, seed)
    made = made_holdout(forget, [*forget, *retain], names)
    if len(made) < FEW:
        what = (
            f"can be made of {len(made)} of {len(groups['forget'])} forget examples, and at least "
            f"{FEW} are needed: it takes questions of one form about several people (a name was "
            f"found in {len(forget)})"
        )
        raise UserError(Problem(flag, what, OWN, "request"))
    return made


def _counted(made: list[Example]) -> str:
    return f"{len(made)} questions about invented people, with answers from other records,"
