"""Select noun chunks with spaCy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unteach.selectors._base import ReferenceOracle, Selection, Selector, selector
from unteach.selectors._spacy import PIPELINE, choices, require_spacy
from unteach.types import Sequence


@selector("noun_chunks")
@dataclass(frozen=True, kw_only=True)
class NounChunks(Selector):
    """Selects the noun chunks of the answers, as FUnDIAL does (arXiv 2402.10052).

    Attributes:
        pipeline: a spaCy pipeline with a parser: an installed package or a folder.
    """

    pipeline: str = PIPELINE
    nothing: ClassVar = "the pipeline finds no noun chunks; try informative, subject or spans"

    def __post_init__(self) -> None:
        """Check that spaCy is installed before any model is loaded. Raises UserError."""
        require_spacy(self.pipeline)

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the tokens of the noun chunks that the pipeline finds."""
        return choices(
            sequences, self.name, self.pipeline, "token.dep", lambda doc: doc.noun_chunks
        )
