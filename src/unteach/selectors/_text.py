"""Map character spans to tokens: find the answers in the text, and the tokens of a span."""

from collections.abc import Iterable
from typing import NamedTuple

from unteach.errors import Problem, UserError
from unteach.types import Sequence, Span


def require_text(sequences: list[Sequence], name: str) -> None:
    """Raise UserError if some sequences have token ids but no text."""
    if any(not s.offsets for s in sequences):
        what = "reads the answers' text, and some sequences are tokens alone"
        hint = "give rows, or sequences of `unteach.data.encoding.encode`"
        raise UserError(Problem(f"selector {name}", what, hint, "request"))


def tokens_in(sequence: Sequence, spans: Iterable[Span]) -> frozenset[int]:
    """Return the answer tokens that share a character with a span, without blanks at the ends.

    If a character is split over several tokens, each of them counts as the character.

    Example:
        >>> sequence = Sequence("forget-0", (5, 6, 7), (False, True, True), text="in the town",
        ...                     offsets=((0, 2), (2, 6), (6, 11)))
        >>> sorted(tokens_in(sequence, [(3, 7)]))
        [1]
    """
    wanted = [(a, b) for a, b in (bare(sequence.text, *span) for span in spans) if a < b]
    positions = set()
    for position, is_answer in enumerate(sequence.answer):
        first, last = sequence.offsets[position] if is_answer else (0, 0)
        a, b = bare(sequence.text, first, last)
        if a == b:  # only blanks, or no character
            a, b = first, last
        if a < b and any(start < b and a < end for start, end in wanted):
            positions.add(position)
    return frozenset(positions)


def answer_parts(sequence: Sequence) -> list[Span]:
    """Return the character span of each answer, without blanks; a conversation has several.

    Example:
        >>> sequence = Sequence("forget-0", (5, 6, 7), (False, True, True), text="Who? Ada.",
        ...                     offsets=((0, 4), (4, 8), (8, 9)))
        >>> answer_parts(sequence)
        [(5, 9)]
    """
    parts: list[Span] = []
    within = False
    for is_answer, (first, last) in zip(sequence.answer, sequence.offsets, strict=True):
        if is_answer and first < last:
            parts.append((parts.pop()[0] if within else first, last))
        within = is_answer
    parts = [bare(sequence.text, *part) for part in parts]
    return [(a, b) for a, b in parts if a < b]


def bare(text: str, first: int, last: int) -> Span:
    """Return a span without the blanks at its ends.

    Example:
        >>> bare(" Lund ", 0, 6)
        (1, 5)
    """
    piece = text[first:last]
    stripped = piece.strip()
    start = first + len(piece) - len(piece.lstrip()) if stripped else first
    return start, start + len(stripped)


class TextWord(NamedTuple):
    """A word of a sequence: its letters in lower case, and the positions of its tokens."""

    key: str
    places: tuple[int, ...]


def words(sequence: Sequence) -> list[TextWord]:
    """Return the words of a sequence, in order; without a text, every token is a word.

    A token of blanks belongs to the following word.

    Example:
        >>> sequence = Sequence("forget-0", (5, 6, 7), (False, True, True), text="Ada Berg?",
        ...                     offsets=((0, 3), (3, 6), (6, 9)))
        >>> words(sequence)
        [TextWord(key='ada', places=(0,)), TextWord(key='berg', places=(1, 2))]
    """
    text = sequence.text
    if not sequence.offsets:
        return [TextWord(str(token), (place,)) for place, token in enumerate(sequence.ids)]
    pieces: list[tuple[int, int, list[int]]] = []
    blanks: list[int] = []
    for place, offset in enumerate(sequence.offsets):
        a, b = bare(text, *offset)
        if a == b and offset[0] < offset[1]:
            blanks.append(place)
            continue
        lead = [k for k in blanks if sequence.answer[k] == sequence.answer[place]]
        blanks = []
        if not any(map(str.isalnum, text[a:b])):
            continue
        first, last, places = pieces[-1] if pieces else (0, -1, [])
        # The next part of a word, or the next byte of a character.
        if a < last or (a == last and text[a - 1].isalnum() and text[a].isalnum()):
            pieces[-1] = first, max(b, last), [*places, place]
        else:
            pieces.append((a, b, [*lead, place]))
    return [
        TextWord("".join(filter(str.isalnum, text[a:b])).casefold(), tuple(places))
        for a, b, places in pieces
    ]
