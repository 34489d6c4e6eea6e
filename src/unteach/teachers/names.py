"""Find the subject's name in each example: from its `subject` column, or from its text."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from unteach.selectors._text import bare
from unteach.teachers.written import WORD, NameWord, inflected, name_parts, occurrences, stem_of
from unteach.types import Sequence

Tokens = tuple[int, ...]
Places = tuple[int, ...]
SHORTEST = 3  # fewest letters that two forms of one name share


class WordForm(NamedTuple):
    """The form of a word in a text.

    Attributes:
        before: prefix in its tokens: a space, a letter of its script, or nothing.
        ending: the ending that replaces its own; None if it is not inflected.
        after: suffix in its tokens.
    """

    before: str
    ending: str | None
    after: str

    def of(self, word: str) -> str:
        """Return another word in this form."""
        return self.before + inflected(word, self.ending) + self.after


class NamePart(NamedTuple):
    """One word of a subject's name.

    Attributes:
        text: the word as written.
        places: for each occurrence in the sequence, the positions of its tokens.
        forms: for each occurrence, its form.
        slot: 0 for a first name, 1 for what follows.
        name: index of the example's name that it belongs to, from 0.
    """

    text: str
    places: tuple[Places, ...]
    forms: tuple[WordForm, ...]
    slot: int = 0
    name: int = 0


Subject = tuple[NamePart, ...]


class WordTokens:
    """Tokenizes single words, with a cache."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self._known: dict[str, Tokens] = {}

    def of(self, text: str) -> Tokens:
        """Return token ids of a text, without special tokens."""
        if text not in self._known:
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            self._known[text] = tuple(ids)
        return self._known[text]


def people_of(subject: Subject) -> list[tuple[str, ...]]:
    """Return the complete names in a subject, each as a tuple of its words."""
    people: dict[int, tuple[str, ...]] = {}
    for part in subject:
        people[part.name] = (*people.get(part.name, ()), part.text)
    return list(people.values())


def subjects_of(
    sequences: list[Sequence], tokens: WordTokens, others: Iterable[Sequence] = ()
) -> list[Subject]:
    """Return the subject of each sequence, from its `subject` column or else from its text.

    Names from the column (`Sequence.subject`) are found at all their occurrences, in any script. If
    there are none, or none occurs in the text, a name is a capitalised word of the question that
    the answer repeats. If question and answer share no such word, one of them may inflect it. A
    word that any text writes in lower case is no name. A word is left out if one of its occurrences
    is not tokenized like the word alone (such as a name inside another word).

    Args:
        sequences: the examples.
        tokens: of the same tokenizer.
        others: further texts, used only for words that they write in lower case.
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
    token_map = _TokenMap(sequence)
    names = enumerate(sequence.subject)
    given = [part._replace(name=k) for k, name in names for part in name_parts(name)]
    return _placed(token_map, given, tokens) or _placed(
        token_map, _shared(token_map, common), tokens
    )


class _TokenMap:
    """Maps the characters of a sequence's text to token positions."""

    def __init__(self, sequence: Sequence):
        self.sequence = sequence
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        for position, (start, end) in enumerate(sequence.offsets):
            for k in range(start, end):
                self.first.setdefault(k, position)
                self.last[k] = position

    def tokens(self, start: int, end: int) -> Places:
        """Return the positions of the tokens of some characters; none if some were truncated."""
        if start not in self.first or end - 1 not in self.last:
            return ()
        return tuple(range(self.first[start], self.last[end - 1] + 1))

    def answered(self, start: int, end: int) -> bool | None:
        """Whether the characters are in an answer; None if only some are."""
        sides = {self.sequence.answer[k] for k in self.tokens(start, end)}
        return sides.pop() if len(sides) == 1 else None


def _shared(token_map: _TokenMap, common: set[str]) -> list[NameWord]:
    """Return capitalised words that question and answer share, in the order of the question."""
    spoken = [
        (m.group(), token_map.answered(*m.span())) for m in WORD.finditer(token_map.sequence.text)
    ]
    written: dict[str, set[str]] = {}
    for word, _ in spoken:
        written.setdefault(word.casefold(), set()).add(word)

    def is_name(word: str) -> bool:
        key = word.casefold()
        return word[:1].isupper() and key not in common and len(written[key]) == 1

    prompt = dict.fromkeys(word for word, answered in spoken if answered is False and is_name(word))
    answer = dict.fromkeys(word for word, answered in spoken if answered and is_name(word))
    same = [word for word in prompt if word in answer]
    kept: list[NameWord] = []
    text, first = token_map.sequence.text, True
    for word in same or _in_two_forms(list(prompt), list(answer)):
        first = not kept or (first and f"{kept[-1].text}-{word}" in text)
        kept.append(NameWord(word, 0 if first else 1, bare_genitive=not same))
    return kept


def _in_two_forms(prompt: list[str], answer: list[str]) -> list[str]:
    """Return names that have one form in the question and another in the answer."""
    shared = []
    for word in prompt:
        for other in answer:
            short, long = sorted((word, other), key=len)
            before_noun = f"{long} x"
            same = any(place.start == 0 for place in occurrences(before_noun, short))
            if same and len(stem_of(short)) >= SHORTEST:
                shared.append(short)
    return list(dict.fromkeys(shared))


def _placed(token_map: _TokenMap, parts: list[NameWord], tokens: WordTokens) -> Subject:
    """Find the parts' tokens; longer words first, so that no token is used twice."""
    taken: set[int] = set()
    placed_parts: dict[str, NamePart] = {}
    for part in sorted(parts, key=lambda part: -len(part.text)):
        if part.text in placed_parts:
            continue
        placed = _part(token_map, part, tokens, taken)
        if placed is not None:
            placed_parts[part.text] = placed
            taken |= {k for place in placed.places for k in place}
    order = dict.fromkeys(part.text for part in parts)
    return tuple(placed_parts[text] for text in order if text in placed_parts)


def _part(
    token_map: _TokenMap, part: NameWord, tokens: WordTokens, taken: set[int]
) -> NamePart | None:
    places, forms = [], []
    text, genitive = token_map.sequence.text, part.bare_genitive
    for start, end, ending in occurrences(text, part.text, bare_genitive=genitive):
        own = token_map.tokens(start, end)
        if not own or taken & {*own}:
            continue
        place_and_form = _formed(token_map.sequence, own, start, end, ending, part.text, tokens)
        if place_and_form is None:
            return None
        places.append(place_and_form[0])
        forms.append(place_and_form[1])
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
    """Return a word's tokens and the form with exactly these tokens; None if there is none.

    A token of blanks before the word may be part of it.
    """
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
    """Add the preceding token if it is blank and on the same side, prompt or answer."""
    lead = own[0] - 1
    if lead < 0 or sequence.answer[lead] != sequence.answer[own[0]]:
        return own
    start, end = sequence.offsets[lead]
    return (lead, *own) if start < end and not sequence.text[start:end].strip() else own
