"""Select names and numbers by their spelling, without a model or a dictionary."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from unteach.selectors._base import ReferenceOracle, Selection, Selector, selector
from unteach.selectors._text import answer_parts, require_text, tokens_in
from unteach.types import Sequence, Span

# A number may contain commas and points; a word may contain hyphens and apostrophes.
WORD = re.compile(r"\d+(?:[.,:/]\d+)+|\w+(?:[-'\u2019]\w+)*")
OWN = re.compile(r"['\u2019]s$")
# Text before the first word of a sentence. "Dr. Berg" and "J. Berg" do not start one.
BEGINS = re.compile(r"(?:^|[.!?:]['\"\u201d\u2019)\]]*\s+|\n\s*|[>|])['\"\u201c\u2018(\[]*$")
SHORTENED = re.compile(r"\b[A-Z][a-z]{0,2}\.\s+$")
ONESELF = re.compile(r"I(?:['\u2019].*)?$")


class WordUse(NamedTuple):
    """An occurrence of a word."""

    word: str
    span: Span
    first: bool  # whether it is the first word of its sentence


@selector("informative")
@dataclass(frozen=True, kw_only=True)
class Informative(Selector):
    """Selects names and numbers: words with a capital or a digit that the question lacks.

    The capital at the start of a sentence counts only if the next word is capitalised too, if the
    word is the entire answer, or if the forget set capitalises it within a sentence. Words of the
    question are left out. Suits languages that capitalise names; in scripts without case it finds
    only numbers.
    """

    nothing: ClassVar = "the answers have no names or numbers of their own; try subject or spans"

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the names and numbers of each answer."""
        require_text(sequences, self.name)
        known = {
            use.word
            for text in {s.text for s in sequences}
            for use in _words(text, 0, len(text))
            if not use.first and use.word[0].isupper()
        }
        for sequence in sequences:
            yield Selection(tokens_in(sequence, informative(sequence, known)))


def informative(sequence: Sequence, known: set[str]) -> list[Span]:
    """Return the character spans of the names and numbers in the answers.

    Args:
        sequence: with its text.
        known: words that the set capitalises within a sentence.
    """
    spans, begin, prompt = [], 0, set()
    for first, last in answer_parts(sequence):
        prompt |= {_plain(w.word) for w in _words(sequence.text, begin, first)}
        begin = last
        answer = _words(sequence.text, first, last)
        for here, after in zip(answer, [*answer[1:], None], strict=True):
            if _plain(here.word) not in prompt and _counts(here, after, len(answer), known):
                spans.append(here.span)
    return spans


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
    """Whether a sentence begins after these characters."""
    return bool(BEGINS.search(before)) and not SHORTENED.search(before)


def _plain(word: str) -> str:
    return OWN.sub("", word).casefold()
