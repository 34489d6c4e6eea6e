"""Select named entities or noun chunks with a spaCy pipeline (`unteach[focus]`)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from unteach.errors import Problem, UserError
from unteach.selectors._base import ReferenceOracle, Selection, Selector, selector
from unteach.selectors._text import answer_parts, require_text, tokens_in
from unteach.types import Sequence

PIPELINE = "en_core_web_sm"


@dataclass(frozen=True, kw_only=True)
class _SpacySpans(Selector):
    """Selects the tokens of the spans that a spaCy pipeline finds in the answers."""

    pipeline: str = PIPELINE
    needs: ClassVar[str]  # attribute that a part of the pipeline must fill in
    spans_of: ClassVar[str]  # attribute of a parsed answer that has the spans

    def __post_init__(self) -> None:
        """Check that spaCy and the pipeline are installed; load neither. Raises UserError."""
        if find_spec("spacy") is None:
            hint = 'pip install "unteach[focus]", or choose informative, subject or spans instead'
            raise UserError(Problem("spaCy", "is not installed", hint, "request"))
        if not Path(self.pipeline).is_dir() and not _installed(self.pipeline):
            raise UserError(_no_pipeline(self.pipeline, "is not installed"))

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the tokens of the spans. Raises UserError if the pipeline finds no such ones."""
        require_text(sequences, self.name)
        nlp = _load(self.pipeline)
        if not any(self.needs in nlp.get_pipe_meta(part).assigns for part in nlp.pipe_names):
            what = f"has no part that fills in {self.needs}, which {self.name} reads"
            raise UserError(_no_pipeline(self.pipeline, what))
        for sequence in sequences:
            spans = []
            for first, last in answer_parts(sequence):
                found: Iterable[Any] = getattr(nlp(sequence.text[first:last]), self.spans_of)
                spans += [(first + s.start_char, first + s.end_char) for s in found]
            yield Selection(tokens_in(sequence, spans))


@selector("entities")
@dataclass(frozen=True, kw_only=True)
class Entities(_SpacySpans):
    """Selects the named entities of the answers, as FUnDIAL does (arXiv 2402.10052).

    Attributes:
        pipeline: a spaCy pipeline: an installed package or a folder.
    """

    needs: ClassVar = "doc.ents"
    spans_of: ClassVar = "ents"
    nothing: ClassVar = "the pipeline finds no entities; try informative, subject or spans"


@selector("noun_chunks")
@dataclass(frozen=True, kw_only=True)
class NounChunks(_SpacySpans):
    """Selects the noun chunks of the answers, as FUnDIAL does (arXiv 2402.10052).

    Attributes:
        pipeline: a spaCy pipeline with a parser: an installed package or a folder.
    """

    needs: ClassVar = "token.dep"
    spans_of: ClassVar = "noun_chunks"
    nothing: ClassVar = "the pipeline finds no noun chunks; try informative, subject or spans"


def _load(pipeline: str) -> Any:
    try:
        return import_module("spacy").load(pipeline)
    except (OSError, ValueError, ImportError) as error:
        what = f"does not load ({type(error).__name__})"
        raise UserError(_no_pipeline(pipeline, what)) from None


def _installed(pipeline: str) -> bool:
    try:
        return bool(distribution(pipeline))
    except (PackageNotFoundError, ValueError):
        return False


def _no_pipeline(pipeline: str, what: str) -> Problem:
    hint = f"python -m spacy download {PIPELINE}, or --set method.pipeline=NAME_OR_FOLDER"
    return Problem(f"spaCy pipeline {pipeline}", what, hint, "request")
