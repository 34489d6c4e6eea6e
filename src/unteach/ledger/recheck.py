"""Whether what was removed is in a later model again, by what that model says of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unteach.ledger.prints import Fingerprint
from unteach.metrics._values import shown
from unteach.metrics.given import still_given
from unteach.metrics.rows import Groups
from unteach.metrics.yardstick import never_seen


@dataclass(frozen=True, kw_only=True)
class RecheckedRows:
    """What a model says of records that were removed.

    Attributes:
        asked: how many there are.
        given: ids of those that it gives when asked, word for word or by their fact; none where no
            more are given than of the holdout.
        unjudged: ids of those given that may be guessed, and nothing tells how many are.
        probability: mean probability per token of the answers.
        top: up to which it would be for answers that the model never saw (upper end of the 95%
            prediction interval from the holdout); None where that is not known.
        above: ids of those that are likelier than every holdout answer; told only where the mean is
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
        """Whether the answers are likelier than answers that were never seen."""
        return self.probability is not None and self.top is not None and self.probability > self.top

    @property
    def found(self) -> bool:
        """Whether anything resurfaces."""
        return bool(self.given) or self.likelier


def at_hand(
    removed: Mapping[str, Sequence[Fingerprint]], there: Iterable[Fingerprint]
) -> dict[str, dict[int, int]]:
    """Which removed records a file has, by their words.

    Args:
        removed: fingerprints by request.
        there: of the file.

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
    """What rows of a model say of the removed records.

    Args:
        rows: of its groups "forget" and "holdout".
        ids: of the forget examples that count.

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
