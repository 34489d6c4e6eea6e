"""Select named entities with spaCy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unteach.selectors._base import ReferenceOracle, Selection, Selector, selector
from unteach.selectors._spacy import PIPELINE, choices, require_spacy
from unteach.types import Sequence


@selector("entities")
@dataclass(frozen=True, kw_only=True)
class Entities(Selector):
    """Selects the named entities of the answers, as FUnDIAL does (arXiv 2402.10052).

    Attributes:
        pipeline: a spaCy pipeline: an installed package or a folder.
    """

    pipeline: str = PIPELINE
    nothing: ClassVar = "the pipeline finds no entities; try informative, subject or spans"

    def __post_init__(self) -> None:
        """Check that spaCy is installed before any model is loaded. Raises UserError."""
        require_spacy(self.pipeline)

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the tokens of the entities that the pipeline finds."""
        return choices(sequences, self.name, self.pipeline, "doc.ents", lambda doc: doc.ents)
