"""What hangs on whom the question is about: swap the subject, and see what falls."""

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

AT_ONCE = 64  # sequences of one call to the model
CANDIDATES = 256  # examples among which a likeness is looked for


@selector("subject")
@dataclass(frozen=True, kw_only=True)
class SubjectTokens(Selector):
    """The answer tokens that become less likely when the question is about someone else.

    The subject is what question and answer share, without words that most of the forget set has.
    It is replaced, in both, by that of the examples most like this one; of the other answer tokens,
    those whose log-probability falls most are chosen. A forget set with one subject alone
    gives nothing to swap.

    Attributes:
        ratio: share of the answer's tokens that are chosen, at most.
        swaps: examples whose subject is tried, for a mean.
    """

    ratio: float = 0.3
    swaps: int = 3
    asks_model: ClassVar = True
    nothing: ClassVar = "no two forget examples have a subject to swap; try informative or spans"

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """By the fall of each token, many sequences at a time."""
        asked = _asked(sequences)
        order = sorted(range(len(sequences)), key=lambda k: sequences[k].id)
        regular = set(oracle.tokens)
        longest = max((len(s.ids) for s in sequences), default=0)
        for start in range(0, len(sequences), AT_ONCE):
            members = range(start, min(start + AT_ONCE, len(sequences)))
            swaps = {k: self._swaps(k, sequences, asked, order, seed, longest) for k in members}
            texts = [t for k in members for t in (sequences[k].ids, *(s.ids for s in swaps[k]))]
            logps = iter(oracle.logps(texts))
            for k in members:
                before, after = next(logps), [next(logps) for _ in swaps[k]]
                yield self._one(sequences[k], swaps[k], before, after, regular)

    def _swaps(self, k, sequences, asked, order, seed, longest) -> "list[SubjectSwap]":
        """The sequence with the subjects of those most like it."""
        others = [j for j in order if j != k and asked[j].subject]
        random = random_of(sequences[k], seed)
        if len(others) > CANDIDATES:
            others = random.sample(others, CANDIDATES)
        mine = asked[k]
        pairs = [(mine.without(asked[j]), asked[j].without(mine), j) for j in others]
        ranked = sorted(
            (-mine.likeness(asked[j]), len(ours) != len(theirs), random.random(), j, ours, theirs)
            for ours, theirs, j in pairs
            if ours and theirs
        )
        return [
            _swapped(sequences[k], mine, ours, [asked[j].subject[key] for key in theirs], longest)
            for *_, j, ours, theirs in ranked[: self.swaps]
        ]

    def _one(self, sequence, swaps, before, after, regular) -> Selection:
        """The tokens that fall most, of those that are no part of the subject."""
        length = sum(sequence.answer)
        scored = [
            i
            for i, token in enumerate(sequence.ids)
            if sequence.answer[i] and token in regular and all(i in swap.places for swap in swaps)
        ]
        falls = [
            sum(before[i] - found[swap.places[i]] for swap, found in zip(swaps, after, strict=True))
            for i in scored
        ]
        fallen = [(i, fall) for i, fall in zip(scored, falls, strict=True) if fall > 0]
        if not fallen:
            return Selection(frozenset())
        positions, scores = zip(*fallen, strict=True)
        return Selection(highest(list(positions), list(scores), math.ceil(self.ratio * length)))


class ExampleSubject(NamedTuple):
    """What one example asks about.

    Attributes:
        words: the question's words.
        every: the words of question and answer.
        subject: of the words that both have and few examples share: the tokens, as in the question.
        places: where each of these words stands, token by token, in question and answer.
    """

    words: frozenset[str]
    every: frozenset[str]
    subject: dict[str, tuple[int, ...]]
    places: dict[str, list[tuple[int, ...]]]

    def without(self, other: "ExampleSubject") -> list[str]:
        """The words of the subject that the other does not have, in order."""
        return [key for key in self.subject if key not in other.every]

    def likeness(self, other: "ExampleSubject") -> float:
        """The share of the questions' words that both have."""
        return len(self.words & other.words) / max(len(self.words | other.words), 1)


class SubjectSwap(NamedTuple):
    """A sequence with another subject, and where each token that stayed has gone."""

    ids: tuple[int, ...]
    places: dict[int, int]


def _asked(sequences: list[Sequence]) -> list[ExampleSubject]:
    found = [words(s) for s in sequences]
    keys = [frozenset(word.key for word in said) for said in found]
    held = Counter(key for every in keys for key in every)
    asked = []
    for sequence, said, every in zip(sequences, found, keys, strict=True):
        question = [w for w in said if not any(sequence.answer[i] for i in w.places)]
        answer = {w.key for w in said if all(sequence.answer[i] for i in w.places)}
        subject: dict[str, tuple[int, ...]] = {}
        for word in question:
            if word.key in answer and 2 * held[word.key] <= len(sequences):
                subject.setdefault(word.key, tuple(sequence.ids[i] for i in word.places))
        places = {key: [w.places for w in said if w.key == key] for key in subject}
        asked.append(ExampleSubject(frozenset(w.key for w in question), every, subject, places))
    return asked


def _swapped(
    sequence: Sequence,
    asked: ExampleSubject,
    ours: list[str],
    theirs: list[tuple[int, ...]],
    longest: int,
) -> SubjectSwap:
    """Word for word; words that are left over are dropped, or put behind the last one."""
    new = dict.fromkeys(ours, ()) | dict(zip(ours, theirs, strict=False))
    new[ours[-1]] += tuple(token for extra in theirs[len(ours) :] for token in extra)
    begins = {places[0]: new[key] for key in ours for places in asked.places[key]}
    gone = {place for key in ours for places in asked.places[key] for place in places}
    ids: list[int] = []
    kept: dict[int, int] = {}
    for place, token in enumerate(sequence.ids):
        ids += begins.get(place, ())
        if place not in gone:
            kept[place] = len(ids)
            ids.append(token)
    return SubjectSwap(tuple(ids[:longest]), {i: to for i, to in kept.items() if to < longest})
