"""Keyed fingerprints of records: without the key nobody can read them or test guesses.

Each part of a record (a question, an answer, the whole) has four:

- of its text, and of its normalised words (`normal.words_of`): BLAKE2b with the key;
- of its first five words, by which it is found inside a longer text;
- a MinHash of its word 5-grams (Broder 1997): for each of 128 keyed orders, the least 5-gram. The
  share of equal values estimates the Jaccard similarity of two texts.

Without the key they look like random numbers. But equal texts have equal fingerprints and similar
texts similar MinHashes, so they reveal which records repeat, and how similar two records are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any

from unteach.ledger.normal import words_of
from unteach.types import Example

GRAM = 5  # words of a gram
ORDERS = 128  # values of a MinHash
SHORTEST = 4  # least words of a question or an answer that has fingerprints of its own
SIZE = 16  # bytes of a fingerprint


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprints of one part of a record.

    Attributes:
        record: number of the record in its file, from 0.
        part: "question", "answer" or "whole".
        words: number of words.
        exact: fingerprint of the text, 16 bytes.
        normal: fingerprint of the normalised words, 16 bytes.
        head: fingerprint of the first five words, 8 bytes; empty if there are fewer.
        sketch: MinHash, 128 numbers of 4 bytes; empty if there are fewer than five words.
    """

    record: int
    part: str
    words: int
    exact: bytes
    normal: bytes
    head: bytes
    sketch: bytes

    def values(self) -> tuple[Any, ...]:
        """Return the fields in their order."""
        return tuple(vars(self).values())


def prints_of(examples: Iterable[Example], key: bytes) -> list[Fingerprint]:
    """Return the fingerprints of each part of each example.

    Args:
        examples: examples, as `data.read` returns them.
        key: the ledger's key, 32 bytes.

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
    """Yield the parts of an example: the whole, and questions and answers of at least 4 words.

    The whole of a conversation is its messages without roles, one per line, so that it is also
    found as raw text.
    """
    if not example.turns:
        yield "whole", example.text
        return
    yield "whole", "\n".join(turn.text for turn in example.turns)
    names = {"user": "question", "assistant": "answer"}
    for turn in example.turns:
        if turn.role in names and len(words_of(turn.text)) >= SHORTEST:
            yield names[turn.role], turn.text


def digest(rows: Iterable[Sequence[Any]]) -> str:
    """Return the SHA-256 of rows of fingerprints, in their order."""
    total = sha256()
    for row in rows:
        for value in row:
            data = value if isinstance(value, bytes) else str(value).encode()
            total.update(len(data).to_bytes(4, "big") + data)
    return total.hexdigest()


def exact_print(text: str, key: bytes) -> bytes:
    """Return the fingerprint of a text without surrounding space, 16 bytes."""
    return _keyed(text.strip(), key, b"exact")


def normal_print(words: Sequence[str], key: bytes) -> bytes:
    """Return the fingerprint of normalised words, 16 bytes."""
    return _keyed(" ".join(words), key, b"normal")


def gram_prints(words: Sequence[str], key: bytes) -> list[bytes]:
    """Return the fingerprint of each run of five words, 8 bytes each; none for fewer words."""
    runs = (" ".join(words[k : k + GRAM]) for k in range(len(words) - GRAM + 1))
    return [_keyed(run, key, b"gram", 8) for run in runs]


def sketch_of(grams: Sequence[bytes], key: bytes) -> bytes:
    """Return the MinHash of fingerprints of 5-grams; empty if there are none."""
    if not grams:
        return b""
    import numpy

    factors, shifts = _orders(key)
    values = numpy.frombuffer(b"".join(sorted(set(grams))), "<u8")
    least = numpy.full(ORDERS, 2**64 - 1, "<u8")
    for start in range(0, len(values), 4096):  # in blocks, since a long text has many
        some = values[start : start + 4096, None] * factors + shifts
        least = numpy.minimum(least, (some ^ (some >> numpy.uint64(32))).min(0))
    return (least >> numpy.uint64(32)).astype("<u4").tobytes()


@lru_cache(maxsize=4)
def _orders(key: bytes) -> tuple[Any, Any]:
    """Return factors (odd) and shifts of the keyed orders, [128] each."""
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
