"""Find the persons that records are about, so that intervals can be over persons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from unteach.data import encode_each
from unteach.data.calibration import grouped_by_subject
from unteach.evaluation.check import CheckedEvaluation
from unteach.teachers.names import WordTokens, subjects_of
from unteach.types import Example

NAMED = 0.8  # share of the records in which a name must be found


@dataclass(frozen=True)
class Persons:
    """The person of each record.

    Attributes:
        of: a key of the person, by the record's id. It holds no name.
        source: "subject" if they come from this column, "names" if from the texts.
    """

    of: Mapping[str, str]
    source: Literal["subject", "names"]

    @property
    def count(self) -> int:
        """Number of persons."""
        return len(set(self.of.values()))


def persons_of(
    examples: Sequence[Example], tokenizer: Any, *, max_length: int, template: str
) -> Persons | None:
    """The person of each record; None where they are not known.

    They come from the column `subject`, if every record has it. Otherwise they come from the
    names in question and answer: a record is about the bearer of that word of its names which most
    records have. That is done only where at least four in five records have a name; each of the
    others is a person of its own.

    Args:
        examples: the records of one file.
        tokenizer: the model's.
        max_length: tokens of one text.
        template: how prompt and answer are joined.
    """
    if examples and all(example.subject for example in examples):
        groups = grouped_by_subject(list(examples))
        of = {example.id: str(k) for k, group in enumerate(groups) for example in group}
        return Persons(of, "subject")
    return _by_names(examples, tokenizer, max_length=max_length, template=template)


def persons_in(plan: CheckedEvaluation, role: str, model: str = "model") -> Persons | None:
    """The person of each record of a group of a checked evaluation; None where not known."""
    how = {"max_length": plan.settings.max_length, "template": plan.settings.template}
    return persons_of(plan.groups[role].examples, plan.places[model].tokenizer, **how)


def _by_names(examples: Sequence[Example], tokenizer: Any, **how: Any) -> Persons | None:
    sequences = encode_each(list(examples), tokenizer, **how).sequences
    subjects = subjects_of(sequences, WordTokens(tokenizer))
    words: dict[str, set[str]] = {example.id: set() for example in examples}
    for sequence, subject in zip(sequences, subjects, strict=True):
        words[sequence.id.partition("/")[0]] |= {part.text.casefold() for part in subject}
    named = sum(map(bool, words.values()))
    if not words or named < NAMED * len(words):
        return None
    common = Counter(word for found in words.values() for word in found)
    places = {word: str(k) for k, word in enumerate(common)}
    of = {
        id: places[max(sorted(found), key=common.__getitem__)] if found else f"alone-{id}"
        for id, found in words.items()
    }
    return Persons(of, "names")
