"""Select the tokens without which the rest of the answer is unlikely (DTO's score)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from unteach.selectors._base import (
    ReferenceOracle,
    Selection,
    Selector,
    highest,
    random_of,
    selector,
)
from unteach.types import Sequence


@selector("delta")
@dataclass(frozen=True, kw_only=True)
class Delta(Selector):
    """Selects prefix tokens whose replacement makes the suffix least likely (arXiv 2510.00125).

    Each answer is split into a prefix and a suffix. A prefix token's score is how much the suffix's
    loss rises under the original model when that token is replaced by a random one.

    Attributes:
        ratio: share of the tokens to select.
        ratio_of: what `ratio` is a share of.
        suffix_ratio: length of the suffix as a share of the answer.
        suffix: treatment of suffix tokens: unselected ("held"), selected or ignored.
        draws: random replacements per token.
    """

    ratio: float = 0.3
    ratio_of: Literal["prefix", "answer"] = "prefix"
    suffix_ratio: float = 0.25
    suffix: Literal["held", "target", "ignored"] = "held"
    draws: int = 2
    asks_model: ClassVar = True

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the tokens with the highest delta scores of each answer."""
        for sequence in sequences:
            yield self._one(sequence, oracle, random_of(sequence, seed))

    def _one(self, sequence: Sequence, oracle: ReferenceOracle, random: Random) -> Selection:
        prefix, suffix = split_answer(sequence, self.suffix_ratio)
        if not prefix:  # an answer of one token has no suffix to score, so select the token
            return Selection(frozenset(suffix))
        scores = delta_scores(sequence, prefix, oracle, random, draws=self.draws)
        whole = len(prefix) + (len(suffix) if self.ratio_of == "answer" else 0)
        chosen = highest(prefix, scores, math.ceil(self.ratio * whole))
        if self.suffix == "target":
            return Selection(chosen | set(suffix))
        return Selection(chosen, frozenset(suffix if self.suffix == "ignored" else ()))


def split_answer(sequence: Sequence, suffix_ratio: float) -> tuple[list[int], list[int]]:
    """Return positions of the answer's prefix and suffix; an answer of one token has no prefix.

    Example:
        >>> answer = Sequence("forget-0", (5, 6, 7, 8), (False, True, True, True))
        >>> split_answer(answer, 0.25)
        ([1, 2], [3])
    """
    positions = [i for i, is_answer in enumerate(sequence.answer) if is_answer]
    length = min(max(math.ceil(suffix_ratio * len(positions)), 1), len(positions) - 1)
    if length < 1:
        return [], positions
    return positions[:-length], positions[-length:]


def delta_scores(
    sequence: Sequence, prefix: list[int], oracle: ReferenceOracle, random: Random, *, draws: int
) -> list[float]:
    """Return how much the suffix's mean NLL rises when each prefix token is replaced, in nats.

    The suffix is everything after the last prefix position; its labels do not change.
    """
    ids, suffix_start = sequence.ids, prefix[-1] + 1
    copies = [
        (*ids[:i], token, *ids[i + 1 :])
        for i in prefix
        for token in _replacements(ids[i], oracle.tokens, random, draws)
    ]
    base, *perturbed = oracle.nll([ids, *copies], suffix_start)
    return [sum(perturbed[k : k + draws]) / draws - base for k in range(0, len(copies), draws)]


def _replacements(token: int, vocabulary: list[int], random: Random, draws: int) -> list[int]:
    """Draw random tokens, none special and none equal to the token."""
    tokens: list[int] = []
    while len(tokens) < draws:
        candidate = random.choice(vocabulary)
        if candidate != token:
            tokens.append(candidate)
    return tokens
