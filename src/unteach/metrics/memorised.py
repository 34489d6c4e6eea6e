"""Which single records a model knows, with a stated error rate; and what cannot be told."""

import math
from dataclasses import dataclass
from typing import Literal

from unteach.metrics.given import still_given
from unteach.metrics.intervals import Z
from unteach.metrics.rows import Groups, mean_logp, scored
from unteach.types import Paper, Row

RecordVerdict = Literal["known", "not distinguishable from never seen", "cannot tell"]
LEVEL = 0.05  # of the records called known, the share to be expected that are not
POWER = 0.84  # standard errors beyond which a normal number stays in 4 of 5 trials
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
    """One forget record.

    Attributes:
        id: role and row (`forget-12`).
        answer: what can be said of it.
        p: share of the holdout records that are at least as likely, itself counted among them;
            where records of its length are not beaten, the share among these. None where the
            answer was not scored.
        verbatim: whether the model gives it word for word; None where that is not known.
        why: by what it is known; empty where it is not.
    """

    id: str
    answer: RecordVerdict
    p: float | None
    verbatim: bool | None
    why: Literal["", "likelier than never seen", "given word for word"] = ""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """The answers, and what a test of this size can tell at all.

    Attributes:
        records: in the order of the forget set.
        level: the share of wrong ones among those called known that is to be expected at most.
        holdout: how many records were never seen.
        smallest_p: that so many can give.
        fewest: how many forget records must be known at once for one of them to be called so;
            None where the holdout is too small for any.
        smallest_auc: the least membership AUC that so many records show in 4 of 5 trials; None
            without records.
    """

    records: tuple[RecordDecision, ...]
    level: float
    holdout: int
    smallest_p: float
    fewest: int | None
    smallest_auc: float | None

    def ids(self, answer: RecordVerdict) -> tuple[str, ...]:
        """Of the records with one answer."""
        return tuple(record.id for record in self.records if record.answer == answer)


def decide(rows: Groups, *, level: float = LEVEL) -> Decisions:
    """One of three answers for each forget record.

    The score of a record is the mean log-probability of its answer's tokens. Its p-value is the
    share of the holdout records, itself counted among them, that score at least as high; where a
    third of the holdout by length has enough records, a record must be less usual among those of
    its length too. Benjamini and Hochberg's procedure then calls known as many as keep the expected
    share of wrong ones among them at `level` (Bates and others, 2021, for p-values that share their
    calibration set; the holdout must be like the forget set). Known are also answers given word for
    word, where the holdout's rate leaves at most that share of them to be guessed.

    It cannot tell of a record whose p-value could not be small enough, or is the smallest that the
    holdout can give and still not small enough.

    Args:
        rows: of the model, with the groups `forget` and `holdout`.
        level: between 0 and 1.

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
    recited = _recited(rows, level)
    return Decisions(
        records=tuple(
            _record(r, values.get(r.id), known, recited, smallest, level) for r in forget
        ),
        level=level,
        holdout=len(others),
        smallest_p=smallest,
        fewest=math.ceil(len(forget) * smallest / level - 1e-9) if smallest <= level else None,
        smallest_auc=_smallest_auc(len(values), len(others)),
    )


def p_value(row: Row, others: list[Row], level: float = LEVEL) -> float:
    """Share of the never-seen that are at least as likely, itself counted among them.

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
    """Benjamini and Hochberg's step-up procedure: those whose p-values are small enough together.

    Args:
        values: p-values by id.
        level: the expected share of wrong ones among them.
        of: how many were tested, also those without a value.

    Example:
        >>> sorted(rejected({"a": 0.01, "b": 0.03, "c": 0.5}, 0.05, 3))  # 0.03 <= 0.05 * 2 / 3
        ['a', 'b']
    """
    order = sorted(values, key=lambda id: values[id])
    passed = [k for k, id in enumerate(order, 1) if values[id] <= level * k / max(of, 1) + 1e-12]
    return set(order[: max(passed, default=0)])


def _record(
    row: Row, p: float | None, known: set[str], recited: set[str], smallest: float, level: float
) -> RecordDecision:
    if row.id in known or row.id in recited:
        why = "likelier than never seen" if row.id in known else "given word for word"
        return RecordDecision(id=row.id, answer="known", p=p, verbatim=row.verbatim, why=why)
    hidden = p is None or smallest > level or p <= smallest
    answer: RecordVerdict = "cannot tell" if hidden else "not distinguishable from never seen"
    return RecordDecision(id=row.id, answer=answer, p=p, verbatim=row.verbatim)


def _recited(rows: Groups, level: float) -> set[str]:
    """Given word for word, where hardly any of them can have been guessed."""
    given = still_given(rows)
    if given is None or given.beside != "holdout" or not given.count:
        return set()
    sure = set(given.words) - set(given.unjudged)
    return sure if given.expected <= level * len(given.words) else set()


def _share(row: Row, others: list[Row]) -> float:
    above = sum(mean_logp(other) >= mean_logp(row) for other in others)
    return (1 + above) / (len(others) + 1)


def _of_its_length(row: Row, others: list[Row]) -> list[Row]:
    """Those in the same third of the holdout by length."""
    if not others:
        return []
    lengths = sorted(other.tokens for other in others)
    cuts = [lengths[len(lengths) * k // 3] for k in (1, 2)]
    ours = sum(row.tokens >= cut for cut in cuts)
    return [other for other in others if sum(other.tokens >= cut for cut in cuts) == ours]


def _smallest_auc(m: int, n: int) -> float | None:
    """By the rank-sum test's standard error where there is nothing to find."""
    if not m or not n:
        return None
    return min(0.5 + (Z + POWER) * math.sqrt((m + n + 1) / (12 * m * n)), 1.0)
