"""Decide from a later model's rows whether removed records resurface in it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unteach.files.rows import Groups
from unteach.ledger.prints import Fingerprint
from unteach.metrics.earlier import RecheckedRows, judge, paired_rise

CLEARLY = 0.1  # a rise in probability that counts where the records seemed known before


@dataclass(frozen=True, kw_only=True)
class Recheck:
    """How well a later model knows removed records, and the model that the removal wrote.

    Attributes:
        later: under the later model.
        since: under the model that the removal wrote; None where it was not asked.
        rise: mean of what each record's probability rose by since then; None without that model.
        rise_low: lower end of its 95% interval; None with fewer than three records.
    """

    later: RecheckedRows
    since: RecheckedRows | None = None
    rise: float | None = None
    rise_low: float | None = None

    @property
    def resurfaced(self) -> bool:
        """Whether the later model knows any; given the earlier one, whether they also rose.

        That is, it gives one that the earlier one did not give, or their probability rose beyond
        chance; by more than 0.1 where the earlier one seemed to know them, which may be by chance.
        """
        if self.since is None:
            return self.later.found
        more = set(self.later.given) - set(self.since.given)
        least = self.rise if self.rise_low is None else self.rise_low
        rose = least is not None and least > (CLEARLY if self.since.found else 0)
        return self.later.found and (rose or bool(more))

    def as_record(self) -> dict[str, Any]:
        """The fields of the JSON output."""
        since = asdict(self.since) if self.since else None
        rise = {"rise": self.rise, "rise_low": self.rise_low}
        return {"resurfaced": self.resurfaced, **asdict(self.later), "since": since, **rise}


def rechecked(
    rows: Mapping[str, Groups],
    ids: Collection[str],
    persons: Mapping[str, Mapping[str, str]] | None = None,
) -> Recheck:
    """Judge the rows of a later model, "model", beside those of an earlier one, "since".

    Args:
        rows: of both models; those of "since" may be missing.
        ids: of the records that were removed.
        persons: of "forget" and "holdout", by the record's id.
    """
    later = judge(rows["model"], ids, persons=persons)
    if "since" not in rows:
        return Recheck(later=later)
    since = judge(rows["since"], ids, persons=persons)
    rise, low = paired_rise(
        rows["since"], rows["model"], "forget", ids, (persons or {}).get("forget")
    )
    return Recheck(later=later, since=since, rise=rise, rise_low=low)


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
