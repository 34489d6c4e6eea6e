"""Decide which single records a model has memorised, with a controlled false discovery rate."""

import math
from dataclasses import dataclass
from typing import Literal

from unteach.metrics.given import still_given
from unteach.metrics.intervals import Z
from unteach.metrics.rows import Groups, mean_logp, scored
from unteach.metrics.sampled import extracted_once
from unteach.types import Paper, Row

RecordVerdict = Literal["known", "not distinguishable from never seen", "cannot tell"]
Why = Literal["", "likelier than never seen", "given word for word"]
LEVEL = 0.05  # false discovery rate: expected share of wrong ones among records called known
POWER = 0.84  # normal quantile for a power of 80%
CONFORMAL = Paper(
    title="Testing for Outliers with Conformal p-values",
    authors="Stephen Bates and Emmanuel Candès and Lihua Lei and Yaniv Romano and Matteo Sesia",
    year=2021,
    arxiv="2104.08279",
    where="p-values by a calibration set, and Benjamini and Hochberg's procedure on them",
    venue="Annals of Statistics 51, 2023",
)


@dataclass(frozen=True, kw_only=True)
class RecordDecision:
    """The decision on one forget record.

    Attributes:
        id: role and row number (`forget-12`).
        answer: the decision.
        p: p-value: share of the holdout records that are at least as likely, itself counted among
            them; among records of its length, if that is above the level and larger. None where
            the answer was not scored.
        verbatim: whether the model gives it word for word; None where that is not known.
        sampled: probability that one of 100 sampled answers is the record word for word; None where
            the answer was not scored.
        why: why it is called known; empty where it is not.
    """

    id: str
    answer: RecordVerdict
    p: float | None
    verbatim: bool | None
    sampled: float | None = None
    why: Why = ""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """The decisions on all records, and the power of a test of this size.

    Attributes:
        records: in the order of the forget set.
        level: false discovery rate: upper bound on the expected share of wrong ones among records
            called known.
        holdout: number of holdout records.
        smallest_p: smallest p-value that this holdout can give.
        fewest: number of forget records that must have the smallest p-value for one to be called
            known; None where the holdout is too small for any.
        smallest_auc: smallest membership AUC that this number of records detects with 80% power;
            None without records.
    """

    records: tuple[RecordDecision, ...]
    level: float
    holdout: int
    smallest_p: float
    fewest: int | None
    smallest_auc: float | None

    def ids(self, answer: RecordVerdict) -> tuple[str, ...]:
        """Ids of the records with this decision."""
        return tuple(record.id for record in self.records if record.answer == answer)


def decide(rows: Groups, *, level: float = LEVEL) -> Decisions:
    """Decide for each forget record: known, not distinguishable from never seen, or cannot tell.

    The score of a record is the mean log-probability of its answer's tokens. Its p-value is the
    share of the holdout records, itself counted among them, that score at least as high. If a third
    of the holdout by length has enough records, a record must also stand out among those of its
    length. Benjamini and Hochberg's procedure then calls records known with a false discovery rate
    of at most `level` (Bates and others, 2021, for p-values that share a calibration set; the
    holdout must be like the forget set). Answers given word for word are also known, if by the
    holdout's rate at most that share of them can be guesses.

    The decision is "cannot tell" if the record was not scored, if the holdout is too small for a
    p-value below `level`, or if the record has the smallest possible p-value and is still not
    significant.

    Args:
        rows: of the model, with the groups `forget` and `holdout`.
        level: false discovery rate, between 0 and 1.

    Example:
        >>> never = [Row(id=f"holdout-{k}", tokens=9, logp=-2 - k / 100) for k in range(40)]
        >>> asked = [Row(id=f"forget-{k}", tokens=9, logp=-2 * k - 0.1) for k in range(2)]
        >>> [record.answer for record in decide({"forget": asked, "holdout": never}).records]
        ['known', 'not distinguishable from never seen']
    """
    forget = [row for row in rows.get("forget", []) if row.kind == "answer"]
    others = scored(rows.get("holdout", []), "answer")
    smallest = 1 / (len(others) + 1)
    values = {row.id: p_value(row, others, level) for row in forget if row.tokens}
    known = rejected(values, level, len(forget))
    recited = _given_verbatim(rows, level)
    return Decisions(
        records=tuple(
            _record(row, values.get(row.id), _why(row.id, known, recited), smallest, level)
            for row in forget
        ),
        level=level,
        holdout=len(others),
        smallest_p=smallest,
        fewest=math.ceil(len(forget) * smallest / level - 1e-9) if smallest <= level else None,
        smallest_auc=smallest_auc(len(values), len(others)),
    )


def p_value(row: Row, others: list[Row], level: float = LEVEL) -> float:
    """Conformal p-value: share of the others that are at least as likely, itself included.

    Example:
        >>> others = [Row(id=f"h{k}", tokens=5, logp=-float(k)) for k in range(4)]
        >>> p_value(Row(id="f", tokens=5, logp=-0.5), others)  # one of four, and itself: 2 / 5
        0.4
    """
    found = _share(row, others)
    alike = _of_its_length(row, others)
    if len(alike) + 1 < 1 / level:
        return found
    here = _share(row, alike)
    return max(found, here) if here > level else found


def rejected(values: dict[str, float], level: float, of: int) -> set[str]:
    """Ids rejected by Benjamini and Hochberg's step-up procedure.

    Args:
        values: p-values by id.
        level: false discovery rate.
        of: number of tests, including those without a value.

    Example:
        >>> sorted(rejected({"a": 0.01, "b": 0.03, "c": 0.5}, 0.05, 3))  # 0.03 <= 0.05 * 2 / 3
        ['a', 'b']
    """
    order = sorted(values, key=lambda id: values[id])
    passed = [k for k, id in enumerate(order, 1) if values[id] <= level * k / max(of, 1) + 1e-12]
    return set(order[: max(passed, default=0)])


def _why(id: str, known: set[str], recited: set[str]) -> Why:
    if id in known:
        return "likelier than never seen"
    return "given word for word" if id in recited else ""


def _record(row: Row, p: float | None, why: Why, smallest: float, level: float) -> RecordDecision:
    hidden = p is None or smallest > level or p <= smallest
    answer: RecordVerdict = "cannot tell" if hidden else "not distinguishable from never seen"
    return RecordDecision(
        id=row.id,
        answer="known" if why else answer,
        p=p,
        verbatim=row.verbatim,
        sampled=None if p is None else extracted_once(row),
        why=why,
    )


def _given_verbatim(rows: Groups, level: float) -> set[str]:
    """Ids of answers given word for word, if at most a share `level` of them can be guesses."""
    given = still_given(rows)
    if given is None or given.beside != "holdout" or not given.count:
        return set()
    sure = set(given.words) - set(given.unjudged)
    return sure if given.expected <= level * len(given.words) else set()


def _share(row: Row, others: list[Row]) -> float:
    above = sum(mean_logp(other) >= mean_logp(row) for other in others)
    return (1 + above) / (len(others) + 1)


def _of_its_length(row: Row, others: list[Row]) -> list[Row]:
    """The records in the same third of the holdout by length."""
    if not others:
        return []
    lengths = sorted(other.tokens for other in others)
    cuts = [lengths[len(lengths) * k // 3] for k in (1, 2)]
    ours = sum(row.tokens >= cut for cut in cuts)
    return [other for other in others if sum(other.tokens >= cut for cut in cuts) == ours]


def smallest_auc(m: int, n: int) -> float | None:
    """Smallest detectable AUC, from the standard error of the rank-sum test under the null."""
    if not m or not n:
        return None
    return min(0.5 + (Z + POWER) * math.sqrt((m + n + 1) / (12 * m * n)), 1.0)
