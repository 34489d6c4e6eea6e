"""Decide from a later model's rows whether removed records resurface in it."""

from collections.abc import Iterable, Mapping, Sequence

from unteach.ledger.prints import Fingerprint
from unteach.metrics.earlier import RecheckedRows, judge

__all__ = ["RecheckedRows", "at_hand", "judge"]


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
