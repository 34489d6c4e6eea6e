"""Split a raw text into windows, each with the tokenizer's special tokens in front."""

from typing import Any

from unteach.data.encoding.marks import placed
from unteach.data.encoding.tokens import front, once, supervised, tokenised, visible
from unteach.types import Example, Sequence, Span


def windows(example: Example, tokenizer: Any, max_length: int) -> list[Sequence]:
    """Tokenise a text in windows of at most `max_length` tokens that overlap by one token.

    A bos at the start of the text, after blanks too, is kept once and is not supervised.
    """
    front_ids = front(tokenizer)
    ids, offsets = tokenised(example.text, tokenizer, special=False)
    ids, offsets = once(
        [*front_ids, *ids],
        [(0, 0)] * len(front_ids) + offsets,
        len(front_ids),
        tokenizer,
        example.text,
    )
    ids, offsets = ids[len(front_ids) :], offsets[len(front_ids) :]
    places = visible(ids, offsets, tokenizer)
    marks = placed(example, example.text, 0, len(example.text))
    width = max(max_length - len(front_ids), 2)
    sequences = []
    for start in range(0, max(len(ids) - 1, 1), width - 1):
        body = ids[start : start + width]
        known = bool(front_ids) and start == 0  # a token in front predicts the first token
        answer = [False] * len(front_ids) + [known] + [True] * (len(body) - 1)
        number = f"/{len(sequences) + 1}" if sequences else ""
        within = places[start : start + width]
        first, last = min((a for a, _ in within), default=0), max((b for _, b in within), default=0)
        window_marks = tuple(m for m in marks if m[0] < last and first < m[1])
        whole = [*front_ids, *body]
        sequences.append(
            Sequence(
                example.id + number,
                tuple(whole),
                tuple(supervised(whole, answer[: len(whole)], tokenizer)),
                text=example.text[first:last],
                offsets=((0, 0),) * len(front_ids) + _clipped(within, first, last),
                spans=_clipped(window_marks, first, last),
                subject=example.subject,
            )
        )
    return sequences


def _clipped(spans: tuple[Span, ...], first: int, last: int) -> tuple[Span, ...]:
    """Clip the ranges to those between two positions, relative to the first of them."""
    return tuple((max(a, first) - first, min(b, last) - first) for a, b in spans)
