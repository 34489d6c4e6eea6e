"""Hold an example rendered as one text, with its supervised character ranges."""

from typing import NamedTuple

from unteach.types import Span


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
