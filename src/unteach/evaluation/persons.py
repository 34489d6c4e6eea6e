"""Find the persons that a file's records are about, so that intervals can be over persons."""

from collections.abc import Sequence
from typing import Any

from unteach.checks.persons import Persons, by_names, by_subject
from unteach.data import encode_each
from unteach.evaluation.check import CheckedEvaluation
from unteach.types import Example


def persons_of(
    examples: Sequence[Example], tokenizer: Any, *, max_length: int, template: str
) -> Persons | None:
    """The person of each record; None where they are not known.

    They come from the column `subject`, if every record has it, else from the names in the texts.

    Args:
        examples: the records of one file.
        tokenizer: the model's.
        max_length: tokens of one text.
        template: how prompt and answer are joined.
    """
    if found := by_subject(examples):
        return found
    texts = encode_each(list(examples), tokenizer, max_length=max_length, template=template)
    return by_names(texts.sequences, tokenizer)


def persons_in(plan: CheckedEvaluation, role: str, model: str = "model") -> Persons | None:
    """The person of each record of a group of a checked evaluation; None where not known."""
    how = {"max_length": plan.settings.max_length, "template": plan.settings.template}
    return persons_of(plan.groups[role].examples, plan.places[model].tokenizer, **how)
