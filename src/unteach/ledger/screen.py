"""Compare texts with fingerprints of removed records: equal, contained, or similar."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unteach.ledger.normal import words_of
from unteach.ledger.prints import (
    GRAM,
    ORDERS,
    Fingerprint,
    exact_print,
    gram_prints,
    normal_print,
    parts_of,
    sketch_of,
)
from unteach.types import Example

KINDS = ("exact", "normalised", "contained", "near")
PARTS = ("whole", "answer", "question")
PAIR = 2  # neighbouring MinHash values that two texts must share to be compared
SIMILAR = 0.4
"""Jaccard similarity of word 5-grams from which on two texts count as near."""


@dataclass(frozen=True)
class ScreenHit:
    """A removed record found in a text.

    Attributes:
        where: file and line of the text.
        kind: "exact" (letter by letter), "normalised" (the same words), "contained" (its words
            occur in the text, in order) or "near" (similar).
        part: part of the removed record: "whole", "answer" or "question".
        reference: the request.
        record: number of the removed record in the file of the request, from 0.
        similarity: estimated Jaccard similarity of the word 5-grams; 1 for all but "near".
    """

    where: str
    kind: str
    part: str
    reference: str
    record: int
    similarity: float = 1.0

    def __str__(self) -> str:
        alike = f" ({self.similarity:.2f} alike)" if self.kind == "near" else ""
        return (
            f"{self.where}: {self.kind}{alike}, {self.part} of forget-{self.record} "
            f"of {self.reference}"
        )


class Screen:
    """An index of removed records, to search texts for them.

    Args:
        removed: fingerprints by request, as `Ledger.prints` returns them.
        key: the key of the fingerprints.
        similar: similarity from which a text is near; above 1, none is.
        parts: parts of the removed records to search for.

    Example:
        >>> from unteach.data import read_rows
        >>> from unteach.ledger.prints import prints_of
        >>> removed = read_rows([{"text": "Ada Byron was born in London."}], "forget")
        >>> screen = Screen({"R-1": prints_of(removed, b"k" * 32)}, b"k" * 32)
        >>> later = read_rows([{"text": "We know that ADA BYRON was born, in London!"}], "train")
        >>> [str(hit) for hit in screen.hits(later)]
        ['train rows, row 1: contained, whole of forget-0 of R-1']
    """

    def __init__(
        self,
        removed: Mapping[str, Sequence[Fingerprint]],
        key: bytes,
        *,
        similar: float = SIMILAR,
        parts: Iterable[str] = PARTS,
    ):
        self._key, self._similar = key, similar
        wanted = set(parts)
        named = [(r, p) for r, prints in removed.items() for p in prints if p.part in wanted]
        self._removed = named
        self._exact, self._normal = _by(named, "exact"), _by(named, "normal")
        self._heads = _by([(r, p) for r, p in named if p.head], "head")
        self._sketched = [(r, p) for r, p in named if p.sketch and similar <= 1]
        self._pairs: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        for number, (_, found) in enumerate(self._sketched):
            for pair in _pairs(found.sketch):
                self._pairs[pair].append(number)
        self._matrix = _matrix([found.sketch for _, found in self._sketched])

    def hits(self, examples: Iterable[Example]) -> Iterator[ScreenHit]:
        """Yield the hits in each example; of several hits of a removed record, the strongest.

        Near hits are left out if the example also has a hit of another kind.
        """
        for example in examples:
            best: dict[tuple[str, int], ScreenHit] = {}
            for hit in self._all(example):
                same = hit.reference, hit.record
                if same not in best or _strength(hit) < _strength(best[same]):
                    best[same] = hit
            sure = [hit for hit in best.values() if hit.kind != "near"]
            yield from sorted(sure or best.values(), key=_strength)

    def _all(self, example: Example) -> Iterator[ScreenHit]:
        seen = set()
        for text in _texts(example):
            if text not in seen:
                seen.add(text)
                yield from self._of(text, example.where)

    def _of(self, text: str, where: str) -> Iterator[ScreenHit]:
        words = words_of(text)
        if not words and not text.strip():
            return
        for reference, found in self._exact.get(exact_print(text, self._key), ()):
            yield ScreenHit(where, "exact", found.part, reference, found.record)
        if not words:
            return
        for reference, found in self._normal.get(normal_print(words, self._key), ()):
            yield ScreenHit(where, "normalised", found.part, reference, found.record)
        if not self._heads:
            return
        grams = gram_prints(words, self._key)
        yield from self._contained(words, grams, where)
        if self._sketched and grams:
            yield from self._near(sketch_of(grams, self._key), where)

    def _contained(self, words: list[str], grams: list[bytes], where: str) -> Iterator[ScreenHit]:
        for start, gram in enumerate(grams):
            for reference, found in self._heads.get(gram, ()):
                run = words[start : start + found.words]
                if len(words) > len(run) == found.words and (
                    normal_print(run, self._key) == found.normal
                ):
                    yield ScreenHit(where, "contained", found.part, reference, found.record)

    def _near(self, sketch: bytes, where: str) -> Iterator[ScreenHit]:
        import numpy

        close = {n for pair in _pairs(sketch) for n in self._pairs.get(pair, ())}
        if not close:
            return
        numbers = sorted(close)
        equal = self._matrix[numbers] == numpy.frombuffer(sketch, "<u4")
        for number, share in zip(numbers, equal.mean(1).tolist(), strict=True):
            if share >= self._similar:
                reference, found = self._sketched[number]
                yield ScreenHit(where, "near", found.part, reference, found.record, share)


def _texts(example: Example) -> Iterator[str]:
    """Yield the texts of an example: the whole, its parts, and their lines."""
    for _, text in parts_of(example):
        yield text
        lines = text.split("\n")
        if len(lines) > 1:
            yield from (line for line in lines if len(words_of(line)) >= GRAM)
    for turn in example.turns:
        if turn.role not in ("user", "assistant"):
            yield turn.text
        yield from _strings(turn.template_keys)


def _strings(value: Any) -> Iterator[str]:
    """Yield the texts in further fields of a message, such as reasoning or tool arguments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _strings(inner)


def _by(
    named: list[tuple[str, Fingerprint]], name: str
) -> dict[bytes, list[tuple[str, Fingerprint]]]:
    found: dict[bytes, list[tuple[str, Fingerprint]]] = defaultdict(list)
    for reference, made in named:
        found[getattr(made, name)].append((reference, made))
    return dict(found)


def _pairs(sketch: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield neighbouring values of a MinHash with their place, as keys to find similar texts."""
    step = 4 * PAIR
    for start in range(0, len(sketch), step):
        yield start, sketch[start : start + step]


def _matrix(sketches: list[bytes]) -> Any:
    import numpy

    return numpy.frombuffer(b"".join(sketches), "<u4").reshape(-1, ORDERS)


def _strength(hit: ScreenHit) -> tuple[Any, ...]:
    place = KINDS.index(hit.kind), -hit.similarity, PARTS.index(hit.part)
    return (*place, hit.reference, hit.record)
