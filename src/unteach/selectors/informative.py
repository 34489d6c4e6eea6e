"""Names and numbers by their looks: no model, no dictionary."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from unteach.selectors._base import ReferenceOracle, Selection, Selector, selector
from unteach.selectors._text import answer_parts, require_text, tokens_in
from unteach.types import Sequence, Span

# A number may have commas and points inside; a word may have hyphens and apostrophes.
WORD = re.compile(r"\d+(?:[.,:/]\d+)+|\w+(?:[-'\u2019]\w+)*")
OWN = re.compile(r"['\u2019]s$")
# What stands before the first word of a sentence. "Dr. Berg" and "J. Berg" begin none.
BEGINS = re.compile(r"(?:^|[.!?:]['\"\u201d\u2019)\]]*\s+|\n\s*|[>|])['\"\u201c\u2018(\[]*$")
SHORTENED = re.compile(r"\b[A-Z][a-z]{0,2}\.\s+$")
ONESELF = re.compile(r"I(?:['\u2019].*)?$")


class WordUse(NamedTuple):
    """A word where it stands."""

    word: str
    span: Span
    first: bool  # of its sentence


@selector("informative")
@dataclass(frozen=True, kw_only=True)
class Informative(Selector):
    """The answer's names and numbers: words with a capital or a digit that were not asked with.

    A capital that merely begins a sentence does not count; it does where the next word has one too,
    where the word is all of the answer, or where the forget set has it so within a sentence. What
    stands in the question is no news, and is left out. Made for languages that write names with
    capitals; where there is no case, numbers are all it finds.
    """

    nothing: ClassVar = "the answers have no names or numbers of their own; try subject or spans"

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """By looks."""
        require_text(sequences, self.name)
        known = {
            found.word
            for text in {s.text for s in sequences}
            for found in _words(text, 0, len(text))
            if not found.first and found.word[0].isupper()
        }
        for sequence in sequences:
            yield Selection(tokens_in(sequence, informative(sequence, known)))


def informative(sequence: Sequence, known: set[str]) -> list[Span]:
    """Where the names and numbers of the answers stand.

    Args:
        sequence: with its text.
        known: words that the whole set writes with a capital within a sentence.
    """
    found, begin, asked = [], 0, set()
    for first, last in answer_parts(sequence):
        asked |= {_plain(w.word) for w in _words(sequence.text, begin, first)}
        begin = last
        said = _words(sequence.text, first, last)
        for here, after in zip(said, [*said[1:], None], strict=True):
            if _plain(here.word) not in asked and _counts(here, after, len(said), known):
                found.append(here.span)
    return found


def _counts(here: WordUse, after: WordUse | None, words: int, known: set[str]) -> bool:
    word = here.word
    if any(map(str.isdigit, word)):
        return True
    capitals = sum(map(str.isupper, word))
    if not capitals or ONESELF.match(word):
        return False
    if not here.first or capitals > 1 or words == 1 or word in known:
        return True
    return after is not None and after.word[0].isupper() and not after.first


def _words(text: str, first: int, last: int) -> list[WordUse]:
    return [
        WordUse(m.group(), m.span(), _begins(text[max(first, m.start() - 12) : m.start()]))
        for m in WORD.finditer(text, first, last)
    ]


def _begins(before: str) -> bool:
    """Whether a sentence begins behind these characters."""
    return bool(BEGINS.search(before)) and not SHORTENED.search(before)


def _plain(word: str) -> str:
    return OWN.sub("", word).casefold()
