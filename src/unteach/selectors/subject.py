"""Select answer tokens that become less likely when the question's subject is swapped."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from unteach.selectors._base import (
    ReferenceOracle,
    Selection,
    Selector,
    highest,
    random_of,
    selector,
)
from unteach.selectors._text import words
from unteach.types import Sequence

AT_ONCE = 64  # sequences per call of the model
CANDIDATES = 256  # most examples to compare a question with


@selector("subject")
@dataclass(frozen=True, kw_only=True)
class SubjectTokens(Selector):
    """Selects answer tokens that become less likely when the question is about someone else.

    The subject is the words that question and answer share, except those that most of the forget
    set has. It is replaced, in both, by the subjects of the most similar examples. Of the other
    answer tokens, those whose log-probability falls most are selected. A forget set with a single
    subject allows no swap.

    Attributes:
        ratio: largest share of the answer's tokens to select.
        swaps: number of other subjects to average over.
    """

    ratio: float = 0.3
    swaps: int = 3
    asks_model: ClassVar = True
    nothing: ClassVar = "no two forget examples have a subject to swap; try informative or spans"

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the tokens whose log-probability falls most, many sequences at a time."""
        subjects = _subjects(sequences)
        order = sorted(range(len(sequences)), key=lambda k: sequences[k].id)
        regular = set(oracle.tokens)
        longest = max((len(s.ids) for s in sequences), default=0)
        for start in range(0, len(sequences), AT_ONCE):
            members = range(start, min(start + AT_ONCE, len(sequences)))
            swaps = {k: self._swaps(k, sequences, subjects, order, seed, longest) for k in members}
            texts = [t for k in members for t in (sequences[k].ids, *(s.ids for s in swaps[k]))]
            logps = iter(oracle.logps(texts))
            for k in members:
                before, after = next(logps), [next(logps) for _ in swaps[k]]
                yield self._one(sequences[k], swaps[k], before, after, regular)

    def _swaps(self, k, sequences, subjects, order, seed, longest) -> "list[SubjectSwap]":
        """Return sequence k with the subjects of the most similar sequences."""
        others = [j for j in order if j != k and subjects[j].subject]
        random = random_of(sequences[k], seed)
        if len(others) > CANDIDATES:
            others = random.sample(others, CANDIDATES)
        mine = subjects[k]
        pairs = [(mine.without(subjects[j]), subjects[j].without(mine), j) for j in others]
        ranked = sorted(
            (-mine.likeness(subjects[j]), len(own) != len(new), random.random(), j, own, new)
            for own, new, j in pairs
            if own and new
        )
        return [
            _swapped(sequences[k], mine, own, [subjects[j].subject[key] for key in new], longest)
            for *_, j, own, new in ranked[: self.swaps]
        ]

    def _one(self, sequence, swaps, before, after, regular) -> Selection:
        """Select the tokens that fall most, except those of the subject."""
        length = sum(sequence.answer)
        scored = [
            i
            for i, token in enumerate(sequence.ids)
            if sequence.answer[i] and token in regular and all(i in swap.places for swap in swaps)
        ]
        falls = [
            sum(before[i] - new[swap.places[i]] for swap, new in zip(swaps, after, strict=True))
            for i in scored
        ]
        fallen = [(i, fall) for i, fall in zip(scored, falls, strict=True) if fall > 0]
        if not fallen:
            return Selection(frozenset())
        positions, scores = zip(*fallen, strict=True)
        return Selection(highest(list(positions), list(scores), math.ceil(self.ratio * length)))


class ExampleSubject(NamedTuple):
    """The subject of an example's question.

    Attributes:
        words: the question's words.
        every: the words of question and answer.
        subject: words that both have and few examples share, with their tokens in the question.
        places: token positions of each occurrence of these words in question and answer.
    """

    words: frozenset[str]
    every: frozenset[str]
    subject: dict[str, tuple[int, ...]]
    places: dict[str, list[tuple[int, ...]]]

    def without(self, other: "ExampleSubject") -> list[str]:
        """Return the subject's words that the other example does not have, in order."""
        return [key for key in self.subject if key not in other.every]

    def likeness(self, other: "ExampleSubject") -> float:
        """Return the share of the two questions' words that both have (Jaccard index)."""
        return len(self.words & other.words) / max(len(self.words | other.words), 1)


class SubjectSwap(NamedTuple):
    """A sequence with another subject, and the new positions of its unchanged tokens."""

    ids: tuple[int, ...]
    places: dict[int, int]


def _subjects(sequences: list[Sequence]) -> list[ExampleSubject]:
    texts = [words(s) for s in sequences]
    keys = [frozenset(word.key for word in text) for text in texts]
    held = Counter(key for every in keys for key in every)
    subjects = []
    for sequence, text, every in zip(sequences, texts, keys, strict=True):
        question = [w for w in text if not any(sequence.answer[i] for i in w.places)]
        answer = {w.key for w in text if all(sequence.answer[i] for i in w.places)}
        subject: dict[str, tuple[int, ...]] = {}
        for word in question:
            if word.key in answer and 2 * held[word.key] <= len(sequences):
                subject.setdefault(word.key, tuple(sequence.ids[i] for i in word.places))
        places = {key: [w.places for w in text if w.key == key] for key in subject}
        subjects.append(ExampleSubject(frozenset(w.key for w in question), every, subject, places))
    return subjects


def _swapped(
    sequence: Sequence,
    subject: ExampleSubject,
    own: list[str],
    others: list[tuple[int, ...]],
    longest: int,
) -> SubjectSwap:
    """Replace word by word; surplus own words are dropped, surplus new ones go after the last."""
    new = dict.fromkeys(own, ()) | dict(zip(own, others, strict=False))
    new[own[-1]] += tuple(token for extra in others[len(own) :] for token in extra)
    begins = {places[0]: new[key] for key in own for places in subject.places[key]}
    gone = {place for key in own for places in subject.places[key] for place in places}
    ids: list[int] = []
    kept: dict[int, int] = {}
    for place, token in enumerate(sequence.ids):
        ids += begins.get(place, ())
        if place not in gone:
            kept[place] = len(ids)
            ids.append(token)
    return SubjectSwap(tuple(ids[:longest]), {i: to for i, to in kept.items() if to < longest})
