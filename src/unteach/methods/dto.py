"""Direct token optimisation (DTO), our reading of the paper."""

import math
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from unteach.losses import ascent
from unteach.losses.seen import Seen, Term
from unteach.methods._base import Choice, Method, Oracle, Plan, method, option
from unteach.nouns import Paper, Sequence


@method("dto")
@dataclass(frozen=True, kw_only=True)
class DTO(Method):
    """Forget with the forget set alone: push chosen tokens away, hold all others to the original.

    Each answer is cut into a prefix and a suffix. A prefix token's score is how much the suffix's
    loss rises under the original model when that token is replaced by a random one; the highest
    scores are the targets. Target tokens get gradient ascent, all other answer tokens KL to the
    original. Scores are computed once, before training.

    Our reading: the paper's equations were not at hand. The choice of replacement, the direction of
    the KL, its weight, and what happens to suffix tokens are options below. One thing is ours: a
    target that is forgotten to 12 nats (p of 6e-6) is pushed no further, since ascent is unbounded
    and goes on to break the rest (`ceiling=0` takes that out; NOTES.md has what it does).
    """

    ratio: float = option(0.3, "share of the tokens that become targets", above=0)
    ratio_of: Literal["prefix", "answer"] = option("prefix", "what `ratio` is a share of")
    suffix_ratio: float = option(0.25, "share of the answer whose loss is read", above=0)
    suffix: Literal["held", "target", "ignored"] = option("held", "what happens to suffix tokens")
    draws: int = option(2, "random replacements per token", low=1)
    hold: float = option(30.0, "weight of the KL on the tokens that are not targets", low=0)
    ceiling: float = option(
        12.0, "targets whose loss is above this, in nats, are left alone; 0 for never", low=0
    )

    paper: ClassVar = Paper(
        title="Direct Token Optimization: A Self-contained Approach to Large Language Model "
        "Unlearning",
        authors="Hong kyu Lee and Ruixuan Liu and Li Xiong",
        year=2025,
        arxiv="2510.00125",
        where="the token-level unlearning objective; our reading",
        venue="Findings of ACL 2026",
    )
    reads: ClassVar = frozenset({"reference_logits", "chosen"})
    plan: ClassVar = Plan(retain="none", epochs=40, power=1, stop_at=0.12)
    label: ClassVar = "DTO (our reading of the paper)"

    def forget(self, seen: Seen) -> list[Term]:
        """Mean of log p over the targets, and weighted mean KL over the others."""
        targets = seen.was_chosen()
        logps = ascent(seen.margin)
        if self.ceiling:
            logps = logps.clamp(min=-self.ceiling)
        terms = [Term("forget", logps * targets, "chosen")]
        if self.hold:
            terms.append(Term("hold", seen.kl() * seen.other(), "others", self.hold))
        return terms

    def choose(self, sequence: Sequence, oracle: Oracle, random: Random) -> Choice:
        """The targets of one answer, by delta-score."""
        prefix, suffix = split_answer(sequence, self.suffix_ratio)
        if not prefix:  # one token: nothing after it to read, so it is the target
            return Choice(frozenset(suffix))
        scores = delta_scores(sequence, prefix, oracle, random, draws=self.draws)
        whole = len(prefix) + (len(suffix) if self.ratio_of == "answer" else 0)
        chosen = highest(prefix, scores, math.ceil(self.ratio * whole))
        if self.suffix == "target":
            return Choice(chosen | set(suffix))
        return Choice(chosen, frozenset(suffix if self.suffix == "ignored" else ()))


def split_answer(sequence: Sequence, suffix_ratio: float) -> tuple[list[int], list[int]]:
    """Positions of the answer's prefix and suffix; an answer of one token has no prefix.

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
    sequence: Sequence, prefix: list[int], oracle: Oracle, random: Random, *, draws: int
) -> list[float]:
    """How much the suffix's mean NLL rises when each prefix token is replaced, in nats.

    The suffix is what follows the last prefix position; its labels stay as they are.
    """
    ids, suffix_start = sequence.ids, prefix[-1] + 1
    copies = [
        (*ids[:i], token, *ids[i + 1 :])
        for i in prefix
        for token in _replacements(ids[i], oracle.tokens, random, draws)
    ]
    base, *perturbed = oracle.nll([ids, *copies], suffix_start)
    return [sum(perturbed[k : k + draws]) / draws - base for k in range(0, len(copies), draws)]


def highest(positions: list[int], scores: list[float], count: int) -> frozenset[int]:
    """The positions with the largest scores, at least one; ties go to the earlier position.

    Example:
        >>> sorted(highest([4, 5, 6], [0.1, 0.9, 0.9], 1))
        [5]
    """
    order = sorted(range(len(positions)), key=lambda k: (-scores[k], k))
    return frozenset(positions[k] for k in order[: max(count, 1)])


def _replacements(token: int, vocabulary: list[int], random: Random, draws: int) -> list[int]:
    """Random tokens, none special and none the token itself."""
    found: list[int] = []
    while len(found) < draws:
        candidate = random.choice(vocabulary)
        if candidate != token:
            found.append(candidate)
    return found
