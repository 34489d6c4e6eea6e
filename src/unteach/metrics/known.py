"""Measure how well the original model knows the forget answers before unlearning."""

from dataclasses import dataclass
from statistics import fmean

from unteach.metrics._values import shown
from unteach.metrics.given import FORGOTTEN, GivenAnswers, seen, still_given
from unteach.metrics.rows import Groups

UNKNOWN = 0.05  # below this probability per token an answer counts as unknown
ABOVE = 0.1  # a probability at most this much above the holdout's is no evidence of knowledge
ENDS = 0.05  # the same for the extraction strength
GUESSED = 0.1  # share of facts that may be guesses
HALF = 0.5
SURE = 0.5  # a mean probability per token above this is evidence of knowledge


@dataclass(frozen=True, kw_only=True)
class KnownAnswers:
    """How well a model knows the forget answers.

    Attributes:
        asked: number of forget answers.
        probability: their mean probability per token.
        holdout: mean probability of the holdout answers; None without a holdout.
        spent: whether the model gives half of the holdout answers or more. Then they do not stand
            for unseen texts: the model knows them too, or they are easy to guess.
        given: number of answers that the model generates, or continues word for word for raw texts,
            without guessed ones.
        unknown: ids of answers that are not given and not more likely than the mean of the holdout
            answers; without a holdout, of those with a probability of at most 0.05.
        faint: whether the model gives none, and their extraction strength is not above that of the
            holdout (without a holdout: near 0). Then only the probability may show knowledge.
        never: whether the probability does not show it either: the mean is at most 0.1 above the
            holdout's, and at most 0.5; without a holdout it is at most 0.05.
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
    """Measure from rows how well the model knows the forget answers; None without any.

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
    known_ids = {id for id, it in seen(forget).items() if it.words or it.fact}
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
        unknown=tuple(id for id, p in each.items() if id not in known_ids and p <= usual),
        faint=faint,
        never=faint and mean <= top,
    )


def _guessed(given: GivenAnswers, level: float | None) -> bool:
    """Whether all given answers may be guesses."""
    if level is None:
        return not given.ids
    few = not given.words and len(given.facts) <= GUESSED * given.asked
    return few or given.count == 0


def _mean(values: dict[str, dict[str, float]], name: str) -> float:
    return fmean(values[name].values()) if values.get(name) else 0.0
