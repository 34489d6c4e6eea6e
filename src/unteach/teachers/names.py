"""Whom each example is about: the names of its data, or those that question and answer share."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from unteach.selectors._text import bare
from unteach.teachers.written import WORD, NameWord, inflected, name_parts, occurrences, stem_of
from unteach.types import Sequence

Tokens = tuple[int, ...]
Places = tuple[int, ...]
SHORTEST = 3  # letters that two forms of one name share at least


class WordForm(NamedTuple):
    """How a word stands in a text.

    Attributes:
        before: what its tokens have before it: a blank, a letter of its script, or nothing.
        ending: what takes the place of its own ending; None where it is not inflected.
        after: what its tokens have behind it.
    """

    before: str
    ending: str | None
    after: str

    def of(self, word: str) -> str:
        """The text of the tokens, with this word."""
        return self.before + inflected(word, self.ending) + self.after


class NamePart(NamedTuple):
    """One word of a subject's name.

    Attributes:
        text: the word as it is written.
        places: for each time that it stands in the sequence, the positions of its tokens.
        forms: how it stands at each of these.
        slot: 0 for a first name, 1 for what follows.
        name: which of the example's names it belongs to, from 0.
    """

    text: str
    places: tuple[Places, ...]
    forms: tuple[WordForm, ...]
    slot: int = 0
    name: int = 0


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


def people_of(subject: Subject) -> list[tuple[str, ...]]:
    """The whole names in a subject, each as its words."""
    found: dict[int, tuple[str, ...]] = {}
    for part in subject:
        found[part.name] = (*found.get(part.name, ()), part.text)
    return list(found.values())


def subjects_of(
    sequences: list[Sequence], tokens: WordTokens, others: Iterable[Sequence] = ()
) -> list[Subject]:
    """The subject of each sequence: the names of its data, else those that its text shows.

    Names of the data (`Sequence.subject`) are found wherever they stand, in any script. Where there
    are none, or none stands in the text, a name is a word of the question with a capital that the
    answer repeats; it may be inflected in one of them, where they share no word as it is. A word
    that any text writes in lower case is no name. A word of which one place does not have the
    tokens of the word alone (such as a name inside another word) is left out.

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
    laid = _Laid(sequence)
    names = enumerate(sequence.subject)
    given = [part._replace(name=k) for k, name in names for part in name_parts(name)]
    return _placed(laid, given, tokens) or _placed(laid, _shared(laid, common), tokens)


class _Laid:
    """A text laid out in tokens."""

    def __init__(self, sequence: Sequence):
        self.sequence = sequence
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        for position, (start, end) in enumerate(sequence.offsets):
            for k in range(start, end):
                self.first.setdefault(k, position)
                self.last[k] = position

    def tokens(self, start: int, end: int) -> Places:
        """Positions of the tokens of some characters; none where some are cut off."""
        if start not in self.first or end - 1 not in self.last:
            return ()
        return tuple(range(self.first[start], self.last[end - 1] + 1))

    def answered(self, start: int, end: int) -> bool | None:
        """Whether the characters stand in an answer; None where only some do."""
        found = {self.sequence.answer[k] for k in self.tokens(start, end)}
        return found.pop() if len(found) == 1 else None


def _shared(laid: _Laid, common: set[str]) -> list[NameWord]:
    """Words with a capital that question and answer share, in the order of the question."""
    spoken = [(m.group(), laid.answered(*m.span())) for m in WORD.finditer(laid.sequence.text)]
    written: dict[str, set[str]] = {}
    for word, _ in spoken:
        written.setdefault(word.casefold(), set()).add(word)

    def is_name(word: str) -> bool:
        key = word.casefold()
        return word[:1].isupper() and key not in common and len(written[key]) == 1

    asked = dict.fromkeys(word for word, answered in spoken if answered is False and is_name(word))
    said = dict.fromkeys(word for word, answered in spoken if answered and is_name(word))
    same = [word for word in asked if word in said]
    kept: list[NameWord] = []
    text, first = laid.sequence.text, True
    for word in same or _in_two_forms(list(asked), list(said)):
        first = not kept or (first and f"{kept[-1].text}-{word}" in text)
        kept.append(NameWord(word, 0 if first else 1, bare_genitive=not same))
    return kept


def _in_two_forms(asked: list[str], said: list[str]) -> list[str]:
    """Names that stand in one form in the question and in another in the answer."""
    found = []
    for word in asked:
        for other in said:
            short, long = sorted((word, other), key=len)
            before_noun = f"{long} x"
            same = any(place.start == 0 for place in occurrences(before_noun, short))
            if same and len(stem_of(short)) >= SHORTEST:
                found.append(short)
    return list(dict.fromkeys(found))


def _placed(laid: _Laid, parts: list[NameWord], tokens: WordTokens) -> Subject:
    """The parts with their tokens; longer words first, so that no token is taken twice."""
    taken: set[int] = set()
    found: dict[str, NamePart] = {}
    for part in sorted(parts, key=lambda part: -len(part.text)):
        if part.text in found:
            continue
        placed = _part(laid, part, tokens, taken)
        if placed is not None:
            found[part.text] = placed
            taken |= {k for place in placed.places for k in place}
    order = dict.fromkeys(part.text for part in parts)
    return tuple(found[text] for text in order if text in found)


def _part(laid: _Laid, part: NameWord, tokens: WordTokens, taken: set[int]) -> NamePart | None:
    places, forms = [], []
    text, genitive = laid.sequence.text, part.bare_genitive
    for start, end, ending in occurrences(text, part.text, bare_genitive=genitive):
        own = laid.tokens(start, end)
        if not own or taken & {*own}:
            continue
        found = _formed(laid.sequence, own, start, end, ending, part.text, tokens)
        if found is None:
            return None
        places.append(found[0])
        forms.append(found[1])
    if not places:
        return None
    return NamePart(part.text, tuple(places), tuple(forms), part.slot, part.name)


def _formed(
    sequence: Sequence,
    own: Places,
    start: int,
    end: int,
    ending: str | None,
    word: str,
    tokens: WordTokens,
) -> tuple[Places, WordForm] | None:
    """The tokens, with a blank alone before them, and the form that has these very tokens."""
    text = sequence.text
    first, last = bare(text, sequence.offsets[own[0]][0], sequence.offsets[own[-1]][1])
    before, after = text[first:start], text[end:last]
    for places in (_with_blank(sequence, own), own):
        ids = tuple(sequence.ids[k] for k in places)
        for blank in (" ", ""):
            form = WordForm(blank + before, ending, after)
            if tokens.of(form.of(word)) == ids:
                return places, form
    return None


def _with_blank(sequence: Sequence, own: Places) -> Places:
    """The tokens with the one before, where that is of blanks alone and on the same side."""
    lead = own[0] - 1
    if lead < 0 or sequence.answer[lead] != sequence.answer[own[0]]:
        return own
    start, end = sequence.offsets[lead]
    return (lead, *own) if start < end and not sequence.text[start:end].strip() else own
