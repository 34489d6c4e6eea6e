"""Keyed fingerprints of records: who has no key can neither read them nor try out guesses.

Four of each part of a record (a question, an answer, the whole):

- of its very text, and of its words (`normal.words_of`): BLAKE2b with the key;
- of its first five words, by which it is found inside a longer text;
- a MinHash of its word 5-grams (Broder 1997): of each of 128 keyed orders of all 5-grams, the
  least. The share of equal ones estimates the Jaccard similarity of two texts.

Without the key all are random numbers, but equal texts have equal prints, and like texts like
MinHashes: they tell which records repeat, and how alike two are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from unteach.ledger.normal import words_of
from unteach.types import Example

GRAM = 5  # words
ORDERS = 128
SHORTEST = 4  # words of a question or an answer that is looked for without the other
SIZE = 16  # bytes of a fingerprint


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprints of one part of a record.

    Attributes:
        record: number of the record in its file, from 0.
        part: "question", "answer" or "whole".
        words: how many it has.
        exact: of the very text, 16 bytes.
        normal: of its words, 16 bytes.
        head: of its first five words, 8 bytes; empty where it has fewer.
        sketch: the MinHash, 128 numbers of 4 bytes; empty where it has fewer than five words.
    """

    record: int
    part: str
    words: int
    exact: bytes
    normal: bytes
    head: bytes
    sketch: bytes

    def values(self) -> tuple[Any, ...]:
        """Its fields in their order."""
        return tuple(vars(self).values())


def prints_of(examples: Iterable[Example], key: bytes) -> list[Fingerprint]:
    """Of each part of each example.

    Args:
        examples: what `data.read` gives.
        key: 32 bytes.

    Example:
        >>> from unteach.data import read_rows
        >>> rows = [{"question": "Where was Ada Byron born?", "answer": "In London, in 1815."}]
        >>> [p.part for p in prints_of(read_rows(rows, "forget"), b"k" * 32)]
        ['whole', 'question', 'answer']
    """
    found = []
    for number, example in enumerate(examples):
        for part, text in parts_of(example):
            words = words_of(text)
            found.append(_print(number, part, text, words, key))
    return found


def parts_of(example: Example) -> Iterator[tuple[str, str]]:
    """The whole of an example, and its questions and answers where they are long enough alone.

    The whole of a conversation are its messages without their roles, each on a line of its own: so
    it is found again as raw text.
    """
    if not example.turns:
        yield "whole", example.text
        return
    yield "whole", "\n".join(turn.text for turn in example.turns)
    names = {"user": "question", "assistant": "answer"}
    for turn in example.turns:
        if turn.role in names and len(words_of(turn.text)) >= SHORTEST:
            yield names[turn.role], turn.text


def exact_print(text: str, key: bytes) -> bytes:
    """Of a text as it stands, but for space around it."""
    return _keyed(text.strip(), key, b"exact")


def normal_print(words: Sequence[str], key: bytes) -> bytes:
    """Of words in their order."""
    return _keyed(" ".join(words), key, b"normal")


def gram_prints(words: Sequence[str], key: bytes) -> list[bytes]:
    """Of each run of five words, 8 bytes; none where there are fewer words."""
    runs = (" ".join(words[k : k + GRAM]) for k in range(len(words) - GRAM + 1))
    return [_keyed(run, key, b"gram", 8) for run in runs]


def sketch_of(grams: Sequence[bytes], key: bytes) -> bytes:
    """The MinHash of prints of 5-grams; empty where there are none."""
    if not grams:
        return b""
    import numpy

    factors, shifts = _orders(key)
    values = numpy.frombuffer(b"".join(sorted(set(grams))), "<u8")
    least = numpy.full(ORDERS, 2**64 - 1, "<u8")
    for start in range(0, len(values), 4096):  # a book has many
        some = values[start : start + 4096, None] * factors + shifts
        least = numpy.minimum(least, (some ^ (some >> numpy.uint64(32))).min(0))
    return (least >> numpy.uint64(32)).astype("<u4").tobytes()


@lru_cache(maxsize=4)
def _orders(key: bytes) -> tuple[Any, Any]:
    """Factors and shifts of the keyed orders: odd numbers, and any."""
    import numpy

    made = [_keyed(str(k), key, b"order", 16) for k in range(ORDERS)]
    numbers = numpy.frombuffer(b"".join(made), "<u8").reshape(ORDERS, 2)
    return numbers[:, 0] | numpy.uint64(1), numbers[:, 1]


def _print(number: int, part: str, text: str, words: list[str], key: bytes) -> Fingerprint:
    grams = gram_prints(words, key)
    exact, normal = exact_print(text, key), normal_print(words, key)
    head = grams[0] if grams else b""
    return Fingerprint(number, part, len(words), exact, normal, head, sketch_of(grams, key))


def _keyed(text: str, key: bytes, person: bytes, size: int = SIZE) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, key=key, digest_size=size, person=person).digest()
