"""Select the tokens of the spans that the user marked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unteach.selectors._base import ReferenceOracle, Selection, Selector, selector
from unteach.selectors._text import require_text, tokens_in
from unteach.types import Sequence


@selector("spans")
@dataclass(frozen=True, kw_only=True)
class Spans(Selector):
    """Selects the tokens of the character spans in the `spans` column."""

    nothing: ClassVar = "give the forget rows a `spans` column: [[start, end], ...]"

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the tokens of each sequence's spans."""
        require_text(sequences, self.name)
        for sequence in sequences:
            yield Selection(tokens_in(sequence, sequence.spans))
