"""How a score moves over several requests: MUSE's scalability and sustainability."""

import math
from dataclasses import dataclass

from unteach.nouns import Score


@dataclass(frozen=True, kw_only=True)
class Change:
    """How far a score is from an earlier one.

    Attributes:
        value: the later score less the earlier one.
        low: lower end of its 95% interval; None where a score has none.
        high: upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def inside(self) -> bool | None:
        """Whether it may be none at all: 0 is in its interval; None where there is no interval."""
        if self.low is None or self.high is None:
            return None
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True, kw_only=True)
class Step:
    """One model of a protocol.

    Attributes:
        label: what the model is called.
        score: its own.
        since_original: change since the first model; None for the first, and without a value.
        since_last: change since the model before.
    """

    label: str
    score: Score
    since_original: Change | None = None
    since_last: Change | None = None


def steps(ordered: list[tuple[str, Score]]) -> list[Step]:
    """A protocol's table: each model's score beside the original's and that of the one before.

    Scalability asks how utility falls with the size of a request: the original, then a model
    for each size, smallest first. Sustainability asks how it falls with their number: the
    original, then the model after each request in turn (C5 and C6 of MUSE, arXiv 2407.06460).

    Args:
        ordered: label and utility of each model (of `knowmem_retain` in MUSE), the original first.

    Example:
        >>> first, second = steps([("original", Score(0.5)), ("request 1", Score(0.25))])
        >>> second.since_original.value
        -0.25
    """
    found: list[Step] = []
    for label, score in ordered:
        found.append(
            Step(
                label=label,
                score=score,
                since_original=change(found[0].score, score) if found else None,
                since_last=change(found[-1].score, score) if found else None,
            )
        )
    return found


def change(before: Score, after: Score) -> Change | None:
    """The difference of two scores, with an interval made of theirs.

    From the difference, each end goes as far as the root of the summed squares of how far the
    two scores' ends are from them (Zou and Donner 2008, Statistics in Medicine 27, 1693-1702).
    It takes the scores for independent. Two models that answer the same questions mostly agree on
    which are hard, and then it is too wide: what it calls a change is one.

    Example:
        >>> moved = change(Score(0.5, low=0.25, high=0.75), Score(1.0, low=1.0, high=1.0))
        >>> moved.value, moved.low, moved.high, moved.inside
        (0.5, 0.25, 0.75, False)
    """
    if before.value is None or after.value is None:
        return None
    moved = after.value - before.value
    ends = (before.low, before.high, after.low, after.high)
    if any(end is None for end in ends):
        return Change(value=moved)
    low, high, after_low, after_high = (float(end) for end in ends if end is not None)
    down = math.hypot(after.value - after_low, high - before.value)
    up = math.hypot(after_high - after.value, before.value - low)
    return Change(value=moved, low=moved - down, high=moved + up)
