"""Whom each example is about: the names that question and answer share, and where they stand."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from unteach.nouns import Sequence
from unteach.selectors._text import bare, words

Tokens = tuple[int, ...]
Places = tuple[int, ...]


class NamePart(NamedTuple):
    """One word of a subject's name.

    Attributes:
        text: the word as it is written.
        places: for each time that it stands in the sequence, the positions of its tokens.
        prefixes: for each of these, what stood before the word when it was tokenised: a blank or
            nothing.
    """

    text: str
    places: tuple[Places, ...]
    prefixes: tuple[str, ...]


Subject = tuple[NamePart, ...]


class WordTokens:
    """The tokens of single words; each is tokenised once."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self._known: dict[str, Tokens] = {}

    def of(self, text: str) -> Tokens:
        """Token ids of a text, without special tokens."""
        if text not in self._known:
            found = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            self._known[text] = tuple(found)
        return self._known[text]

    def prefix(self, word: str, tokens: Tokens) -> str | None:
        """What must stand before the word so that it has these tokens; None where nothing does."""
        return next((p for p in (" ", "") if self.of(p + word) == tokens), None)


def subjects_of(
    sequences: list[Sequence], tokens: WordTokens, others: Iterable[Sequence] = ()
) -> list[Subject]:
    """The subject of each sequence: words of its question that its answer repeats, with a capital.

    A word that any text writes in lower case is no name. A word of which one place does not have
    the tokens of the word alone (such as a name inside another word) is left out.

    Args:
        sequences: whose subjects are looked for.
        tokens: of the same tokenizer.
        others: further texts, for words that they write in lower case.
    """
    lower = {
        word
        for text in {s.text for s in (*sequences, *others)}
        for word in text.split()
        if word[:1].islower()
    }
    common = {"".join(filter(str.isalnum, word)) for word in lower}
    return [_subject(sequence, tokens, common) for sequence in sequences]


def _subject(sequence: Sequence, tokens: WordTokens, common: set[str]) -> Subject:
    if not sequence.offsets:
        return ()
    found = words(sequence)
    answered = {w.key for w in found if all(sequence.answer[i] for i in w.places)}
    asked = [w for w in found if not any(sequence.answer[i] for i in w.places)]
    parts: dict[str, NamePart | None] = {}
    for word in asked:
        if word.key not in answered or word.key in parts or word.key in common:
            continue
        places = tuple(w.places for w in found if w.key == word.key)
        parts[word.key] = _part(sequence, places, tokens)
    return tuple(part for part in parts.values() if part is not None)


def _part(sequence: Sequence, places: tuple[Places, ...], tokens: WordTokens) -> NamePart | None:
    written = {_written(sequence, place) for place in places}
    if len(written) != 1:
        return None
    text = written.pop()
    if not text[:1].isupper() and text.upper() != text.lower():
        return None
    if text.upper() == text.lower():  # a script without capitals, or a number
        return None
    prefixes = [tokens.prefix(text, tuple(sequence.ids[i] for i in place)) for place in places]
    if any(prefix is None for prefix in prefixes):
        return None
    return NamePart(text, places, tuple(p for p in prefixes if p is not None))


def _written(sequence: Sequence, place: Places) -> str:
    first, last = sequence.offsets[place[0]][0], sequence.offsets[place[-1]][1]
    start, end = bare(sequence.text, first, last)
    return sequence.text[start:end]
