"""Load spaCy pipelines on demand, and select tokens by what they find."""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.selectors._base import Selection
from unteach.selectors._text import answer_parts, require_text, tokens_in
from unteach.types import Sequence

PIPELINE = "en_core_web_sm"


def require_spacy(pipeline: str) -> None:
    """Raise UserError if spaCy or the pipeline is not installed; loads neither."""
    if find_spec("spacy") is None:
        hint = 'pip install "unteach[focus]", or choose informative, subject or spans instead'
        raise UserError(Problem("spaCy", "is not installed", hint, "request"))
    if not Path(pipeline).is_dir() and not _installed(pipeline):
        raise UserError(_no_pipeline(pipeline, "is not installed"))


def choices(
    sequences: list[Sequence],
    name: str,
    pipeline: str,
    needs: str,
    find: Callable[[Any], Iterable[Any]],
) -> Iterator[Selection]:
    """Yield the tokens of the spans that a spaCy pipeline finds in the answers.

    Args:
        sequences: with their texts.
        name: of the selector.
        pipeline: an installed package or a folder.
        needs: attribute that a pipeline component must assign, such as `doc.ents`.
        find: maps a parsed answer to its spans.

    Raises:
        UserError: the pipeline does not load, or has no such component.
    """
    require_text(sequences, name)
    nlp = _load(pipeline)
    if not any(needs in nlp.get_pipe_meta(part).assigns for part in nlp.pipe_names):
        what = f"has no part that fills in {needs}, which {name} reads"
        raise UserError(_no_pipeline(pipeline, what))
    for sequence in sequences:
        spans = []
        for first, last in answer_parts(sequence):
            parts = find(nlp(sequence.text[first:last]))
            spans += [(first + s.start_char, first + s.end_char) for s in parts]
        yield Selection(tokens_in(sequence, spans))


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
