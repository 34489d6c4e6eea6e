"""What an example becomes before it is tokenised: one text, and the characters that are trained."""

from typing import NamedTuple

from unteach.types import Span


class RenderedExample(NamedTuple):
    """An example as one text.

    Attributes:
        text: what is tokenised.
        spans: characters of each supervised part, first and one past the last; the marker that
            ends an answer is part of it.
        said: of each of them, the characters that the example itself gives: no end marker.
        content: where the content of the last answer is, for the user's marks.
        closed: whether nothing is to follow: the text says itself that the answer is over, or it
            is raw and not known to end. Else eos is added.
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
        """The same with the last supervised part alone; what was said before is prompt."""
        return self._replace(spans=self.spans[-1:], said=self.said[-1:])
