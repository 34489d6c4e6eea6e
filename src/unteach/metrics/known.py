"""Whether a model knew the forget answers at all, before anything was done to it."""

from dataclasses import dataclass
from statistics import fmean

from unteach.metrics._values import shown
from unteach.metrics.given import FORGOTTEN, GivenAnswers, seen, still_given
from unteach.metrics.rows import Groups

UNKNOWN = 0.05  # a probability per token below this is no memory of an answer
ABOVE = 0.1  # so much above the holdout's probability is no knowledge: other texts are as easy
ENDS = 0.05  # extraction strength, likewise
GUESSED = 0.1  # so many facts can be guessed, as a share
HALF = 0.5
SURE = 0.5  # a probability per token above this is no text that was never seen


@dataclass(frozen=True, kw_only=True)
class KnownAnswers:
    """How well a model knew the forget answers.

    Attributes:
        asked: how many there are.
        probability: their mean probability per token.
        holdout: the same of the holdout answers; None where there is none.
        spent: whether it gives half of the holdout answers or more, so that they tell nothing of
            texts that it never saw: it knows them too, or anyone would guess them.
        given: how many it gives when asked, or, of raw texts, goes on with word for word; the
            guessed ones left out.
        unknown: ids of those that are not given, and no likelier than holdout answers are in the
            mean; without a holdout, of those with a probability below 0.05.
        faint: whether it gives none, and no more of them can be drawn out than of holdout answers
            (without a holdout: next to nothing): only their probability may tell that it knew any.
        never: whether that tells it neither: the mean is at most 0.1 above the holdout's, and below
            0.5; without a holdout it is below 0.05.
    """

    asked: int
    probability: float
    holdout: float | None
    spent: bool
    given: int
    unknown: tuple[str, ...]
    faint: bool
    never: bool


def known(rows: Groups) -> KnownAnswers | None:
    """How well the model knows the forget answers, by its rows; None without any.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id=f"forget-{k}", tokens=9, logp=-5.0) for k in range(4)]
        >>> found = known({"forget": rows})
        >>> found.never, len(found.unknown)
        (True, 4)
    """
    forget = [row for group in FORGOTTEN for row in rows.get(group, [])]
    values, others = shown(forget), shown(rows.get("holdout", []))
    each, given = values.get("probability", {}), still_given(rows)
    if not each or given is None:
        return None
    level = fmean(others["probability"].values()) if "probability" in others else None
    told = {id for id, it in seen(forget).items() if it.words or it.fact}
    usual = UNKNOWN if level is None else level
    top = UNKNOWN if level is None else min(level + ABOVE, SURE)
    never = seen(rows.get("holdout", [])).values()
    mean, drawn = fmean(each.values()), _mean(values, "extraction_strength")
    faint = _guessed(given, level) and drawn <= _mean(others, "extraction_strength") + ENDS
    return KnownAnswers(
        asked=given.asked,
        probability=mean,
        holdout=level,
        spent=bool(never) and sum(it.words for it in never) >= HALF * len(never),
        given=given.count,
        unknown=tuple(id for id, p in each.items() if id not in told and p <= usual),
        faint=faint,
        never=faint and mean <= top,
    )


def _guessed(given: GivenAnswers, level: float | None) -> bool:
    """Whether what it gives may all be guessed."""
    if level is None:
        return not given.ids
    few = not given.words and len(given.facts) <= GUESSED * given.asked
    return few or given.count == 0


def _mean(values: dict[str, dict[str, float]], name: str) -> float:
    return fmean(values[name].values()) if values.get(name) else 0.0
