"""Find the persons that records are about, from a column or from the names in the texts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as List
from dataclasses import dataclass
from typing import Any, Literal

from unteach.data.calibration import grouped_by_subject
from unteach.teachers.names import WordTokens, subjects_of
from unteach.types import Example, Sequence

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


def by_subject(examples: List[Example]) -> Persons | None:
    """The person of each record by the column `subject`; None unless every record has it."""
    if not examples or not all(example.subject for example in examples):
        return None
    groups = grouped_by_subject(list(examples))
    return Persons({e.id: str(k) for k, group in enumerate(groups) for e in group}, "subject")


def by_names(sequences: Iterable[Sequence], tokenizer: Any) -> Persons | None:
    """The person of each record by the names in question and answer.

    A record is about the bearer of that word of its names which most records have. None unless at
    least four in five records have a name; each of the others is a person of its own.

    Args:
        sequences: the records of one file, tokenised.
        tokenizer: the one that tokenised them.
    """
    found = [*sequences]
    words: dict[str, set[str]] = {}
    for sequence, subject in zip(found, subjects_of(found, WordTokens(tokenizer)), strict=True):
        own = words.setdefault(sequence.id.partition("/")[0], set())
        own |= {part.text.casefold() for part in subject}
    named = sum(map(bool, words.values()))
    if not words or named < NAMED * len(words):
        return None
    common = Counter(word for own in words.values() for word in own)
    places = {word: str(k) for k, word in enumerate(common)}
    of = {
        id: places[max(sorted(own), key=common.__getitem__)] if own else f"alone-{id}"
        for id, own in words.items()
    }
    return Persons(of, "names")
