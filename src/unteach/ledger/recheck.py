"""Decide from a later model's rows whether removed records resurface in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unteach.ledger.prints import Fingerprint
from unteach.metrics._values import shown
from unteach.metrics.given import still_given
from unteach.metrics.rows import Groups
from unteach.metrics.yardstick import never_seen


@dataclass(frozen=True, kw_only=True)
class RecheckedRows:
    """Scores of removed records under a later model.

    Attributes:
        asked: number of tested records.
        given: ids of records that the model generates, word for word or by their fact; empty if it
            generates no larger share of them than of the holdout.
        unjudged: ids of generated records that may be guesses, which the holdout cannot exclude.
        probability: mean probability per token of the answers.
        top: upper end of the 95% prediction interval of `probability` for answers that no model
            saw, from the holdout; None if unknown.
        above: ids of records that are likelier than every holdout answer; only if `probability` is
            above `top`.
    """

    asked: int
    given: tuple[str, ...]
    unjudged: tuple[str, ...]
    probability: float | None
    top: float | None
    above: tuple[str, ...]

    @property
    def likelier(self) -> bool:
        """Whether the answers are likelier than answers that no model saw."""
        return self.probability is not None and self.top is not None and self.probability > self.top

    @property
    def found(self) -> bool:
        """Whether any record resurfaces."""
        return bool(self.given) or self.likelier


def at_hand(
    removed: Mapping[str, Sequence[Fingerprint]], there: Iterable[Fingerprint]
) -> dict[str, dict[int, int]]:
    """Return which removed records a file has, compared by their normalised words.

    Args:
        removed: fingerprints of removed records, by request.
        there: fingerprints of the file's records.

    Returns:
        By request: number of the removed record -> number of the file's record.
    """
    places: dict[bytes, int] = {}
    for made in there:
        if made.part == "whole":
            places.setdefault(made.normal, made.record)
    return {
        reference: {
            p.record: places[p.normal] for p in prints if p.part == "whole" and p.normal in places
        }
        for reference, prints in removed.items()
    }


def judge(rows: Groups, ids: Iterable[str]) -> RecheckedRows:
    """Judge removed records by a model's rows.

    Args:
        rows: rows of the groups "forget" and "holdout".
        ids: ids of the forget examples to judge.

    Example:
        >>> from unteach.types import Row
        >>> forget = [Row(id="forget-0", tokens=9, logp=-0.1, verbatim=True, zlib=40)]
        >>> holdout = [Row(id=f"holdout-{k}", tokens=9, logp=-3.0 - k / 9, verbatim=False, zlib=40)
        ...            for k in range(9)]
        >>> found = judge({"forget": forget, "holdout": holdout}, ["forget-0"])
        >>> found.found, found.given, found.above
        (True, ('forget-0',), ('forget-0',))
    """
    wanted = set(ids)
    kept = {
        "forget": [row for row in rows.get("forget", []) if row.id in wanted],
        "holdout": rows.get("holdout", []),
    }
    given = still_given(kept)
    each, others = (shown(kept[name]).get("probability", {}) for name in ("forget", "holdout"))
    band = never_seen(kept).get("probability")
    mean = sum(each.values()) / len(each) if each else None
    top = band.high if band and band.value is not None else None
    likelier = mean is not None and top is not None and mean > top
    unjudged = given.unjudged if given else ()
    told = given.ids if given and given.count else ()
    return RecheckedRows(
        asked=len(each),
        given=tuple(id for id in told if id not in unjudged),
        unjudged=unjudged,
        probability=mean,
        top=top,
        above=tuple(id for id, p in each.items() if likelier and p > max(others.values())),
    )
