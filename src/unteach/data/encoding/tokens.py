"""Tokenise a rendered example: token ids, answer mask, and exactly one bos in front."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError
from unteach.types import Sequence, Span


class RenderedExample(NamedTuple):
    """An example rendered as one text.

    Attributes:
        text: the text to tokenise.
        spans: character range of each supervised part, with the marker that ends the answer.
        said: for each of them, the range of the example's own text, without end marker.
        content: range of the content of the last answer, for the user's spans.
        closed: whether no eos is added: the text already has an end marker, or it is a raw text,
            which may continue.
        special: whether the tokenizer adds its own special tokens, such as bos.
        left_out: what of the example is not in the text, a key of `left_out.TOLD` for each turn.
    """

    text: str
    spans: tuple[Span, ...]
    said: tuple[Span, ...]
    content: Span
    closed: bool
    special: bool
    left_out: tuple[str, ...] = ()

    def last(self) -> "RenderedExample":
        """Return a copy with only the last supervised part; all before it is prompt."""
        return self._replace(spans=self.spans[-1:], said=self.said[-1:])


class TokenizedText(NamedTuple):
    """A tokenised text.

    Attributes:
        ids: token ids.
        answer: mask of the answer tokens.
        offsets: character range of each token; an empty range for a special token.
        said: mask of the answer tokens that come from the example's text, not from an end marker.
    """

    ids: tuple[int, ...]
    answer: tuple[bool, ...]
    offsets: tuple[Span, ...]
    said: tuple[bool, ...]


class TextTokens(NamedTuple):
    """The tokens of a rendered text, whichever of its answers are supervised.

    Attributes:
        ids: token ids.
        offsets: character range of each token.
        ended: whether the last one is an eos that was added.
    """

    ids: list[int]
    offsets: list[Span]
    ended: bool


def text_tokens(rendered: RenderedExample, tokenizer: Any) -> TextTokens:
    """Tokenise a rendered text; add eos unless it is closed. Raises UserError."""
    ids, offsets = tokenised(rendered.text, tokenizer, special=rendered.special)
    lead = len(front(tokenizer)) if rendered.special else 0
    # Blanks that a chat template writes before its bos are intended, so they stay.
    ids, offsets = once(ids, offsets, lead, tokenizer, rendered.text if rendered.special else "")
    eos = tokenizer.eos_token_id
    own_end = bool(ids) and offsets[-1] == (0, 0) and ids[-1] == eos
    if own_end:  # some tokenizers add eos to every text; here it is added below where it belongs
        ids, offsets = ids[:-1], offsets[:-1]
    if rendered.closed or eos is None:
        return TextTokens(ids, offsets, False)
    end = len(rendered.text)
    return TextTokens([*ids, eos], [*offsets, (end, end)], True)


def with_masks(rendered: RenderedExample, text: TextTokens, tokenizer: Any) -> TokenizedText:
    """Mark the tokens of the supervised answers."""
    ids, offsets, ended = text
    said = _trimmed(rendered.text, rendered.said)
    answer = [_overlaps(first, last, rendered.spans) for first, last in offsets]
    speaks = [_overlaps(first, last, said) for first, last in offsets]
    if ended:
        answer[-1], speaks[-1] = True, False
    answer = supervised(ids, answer, tokenizer)
    speaks = [a and b for a, b in zip(answer, speaks, strict=True)]
    ids = tuple(IDS.setdefault(token, token) for token in ids)
    return TokenizedText(ids, tuple(answer), visible(ids, offsets, tokenizer), tuple(speaks))


def supervised(ids: list[int], answer: list[bool], tokenizer: Any) -> list[bool]:
    """Mask out the answer tokens that are never predicted: the first, and any bos."""
    bos = tokenizer.bos_token_id
    bos = None if bos == tokenizer.eos_token_id else bos
    return [k > 0 and ids[k] != bos and is_answer for k, is_answer in enumerate(answer)]


def tokenised(text: str, tokenizer: Any, *, special: bool) -> tuple[list[int], list[Span]]:
    """Return token ids and their offsets. Raises UserError where a tokenizer gives no offsets."""
    try:
        found = tokenizer(
            text, add_special_tokens=special, return_offsets_mapping=True, verbose=False
        )
    except NotImplementedError:
        what, hint = "is a slow one, which gives no offsets", "use the model's fast tokenizer"
        raise UserError(Problem("tokenizer", what, hint)) from None
    return list(found["input_ids"]), [(first, last) for first, last in found["offset_mapping"]]


def front(tokenizer: Any) -> list[int]:
    """Return the ids of the special tokens that the tokenizer adds before a text, such as bos."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = list(tokenizer("a")["input_ids"])
    place = next((k for k in range(len(whole)) if whole[k : k + len(plain)] == list(plain)), 0)
    return whole[:place]


def once(
    ids: list[int], offsets: list[Span], lead: int, tokenizer: Any, text: str = ""
) -> tuple[list[int], list[Span]]:
    """Remove special tokens at the start of a text that repeat those already in front of it.

    Args:
        ids: special tokens that the tokenizer adds, followed by the tokens of the text.
        offsets: their character ranges.
        lead: number of added tokens. If 0, the text's own bos is kept, once.
        tokenizer: of the model.
        text: the text; if given, blanks in front of a removed bos are removed with it.
    """
    bos, special = tokenizer.bos_token_id, set(tokenizer.all_special_ids)

    def behind_blanks(k: int) -> int:
        while (
            text and k < len(ids) and ids[k] not in special and not text[slice(*offsets[k])].strip()
        ):
            k += 1
        return k

    start = lead or behind_blanks(0)
    if not lead and start < len(ids) and ids[start] == bos:
        ids, offsets, lead = ids[start:], offsets[start:], 1
    repeated, end = {bos, *ids[:lead]} & special, lead
    while lead and (place := behind_blanks(end)) < len(ids) and ids[place] in repeated:
        end = place + 1
    return ids[:lead] + ids[end:], offsets[:lead] + offsets[end:]


def speaks(sequence: Sequence, tokenizer: Any) -> bool:
    """Whether a raw text has an answer token that is neither a special token nor blank."""
    markers = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    tokens = zip(sequence.ids, sequence.answer, sequence.offsets, strict=True)
    return any(
        is_answer and token not in markers and (first == last or sequence.text[first:last].strip())
        for token, is_answer, (first, last) in tokens
    )


def visible(ids: Iterable[int], offsets: list[Span], tokenizer: Any) -> tuple[Span, ...]:
    """Make the offsets of special tokens empty, since these are not text of the example."""
    special = set(tokenizer.all_special_ids)
    return tuple(
        _same((first, first if token in special else last))
        for token, (first, last) in zip(ids, offsets, strict=True)
    )


# Rows share equal numbers and ranges: in memory a range takes 64 bytes and more, a reference 8.
IDS: dict[int, int] = {}
SPANS: dict[Span, Span] = {}
NEAR_START = 4096  # characters; ranges behind them are in few rows


def _same(span: Span) -> Span:
    return SPANS.setdefault(span, span) if span[1] < NEAR_START else span


def _overlaps(first: int, last: int, spans: tuple[Span, ...]) -> bool:
    if first == last:  # a blank whose offsets the tokenizer trimmed: it is the character before
        first -= 1
    return any(start < last and first < end for start, end in spans)


def _trimmed(text: str, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Shrink the spans so that they have no blanks at their ends."""
    found = []
    for first, last in spans:
        piece = text[first:last]
        start = first + len(piece) - len(piece.lstrip())
        found.append((start, max(start, first + len(piece.rstrip()))))
    return tuple(found)
