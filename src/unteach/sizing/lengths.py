"""Measure the lengths of the user's texts in tokens, for the memory estimate."""

from typing import Any, NamedTuple

from unteach.data import context_length, encode_all, read
from unteach.data.reworded import reworded
from unteach.errors import Problem, UserError, require
from unteach.models.loading import load_tokenizer
from unteach.settings.request import Request
from unteach.types import Sequence


class TextLengths(NamedTuple):
    """Tokens of the longest sequence, most answer tokens of one, and number of forget sequences."""

    length: int
    answers: int
    examples: int


def lengths_of(request: Request, config: Any) -> TextLengths:
    """Measure the forget set, and the retain set if there is one.

    A batch is padded to its longest text, so the maximum counts; `examples` counts only the forget
    sequences.

    Raises:
        UserError: the model has no tokenizer, or a file cannot be read.
    """
    try:
        tokenizer = load_tokenizer(request.model, trust_remote_code=request.trust_remote_code)
    except UserError:
        what = "has no tokenizer, so the lengths of the data are not known"
        hint = "give the model's folder or hub id, or --length in place of --forget and --retain"
        raise UserError(Problem(f"--model {request.model}", what, hint, "request")) from None
    context = context_length(config, tokenizer)
    longest = min(request.data.max_length or context, context)
    sequences: dict[str, list[Sequence]] = {}
    problems: list[Problem] = []
    for role, source in (("forget", request.forget), ("retain", request.source("retain"))):
        if source and source != "-":
            examples, found = read(source, role)
            examples = [*examples, *reworded(examples, request.train.forms, request.train.seed)]
            sequences[role], wrong = encode_all(
                examples, tokenizer, max_length=longest, template=request.data.template
            )
            problems += [p for p in (*found, *wrong) if p.kind != "note"]
    require(*problems)
    every = [sequence for role in sequences.values() for sequence in role]
    return TextLengths(
        length=max(len(sequence.ids) for sequence in every),
        answers=max(sum(sequence.answer) for sequence in every),
        examples=sum("+" not in sequence.id for sequence in sequences.get("forget", [])),
    )
