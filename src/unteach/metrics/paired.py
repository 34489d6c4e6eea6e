"""Two models asked the same: a metric of both, and the examples in one order."""

from typing import TypeVar

from unteach.metrics._base import METRICS
from unteach.metrics.rows import MissingRows, ModelCase

T = TypeVar("T")


def both(name: str, group: str, case: ModelCase) -> tuple[float, float, int]:
    """A metric of the model and of the retrained one, and the number of examples behind it.

    Raises:
        Missing: one of them has no value; says why.
    """
    found = [
        METRICS.get(name)(group, ModelCase(rows, original=case.original))
        for rows in (case.model, case.beside("retrained"))
    ]
    for score in found:
        if score.value is None:
            raise MissingRows(score.note.removeprefix("not measurable: "))
    ours, theirs = found
    return ours.value or 0.0, theirs.value or 0.0, ours.n


def paired(ours: dict[str, T], theirs: dict[str, T]) -> list[tuple[T, T]]:
    """What both have of each example, in the order of the ids.

    Raises:
        Missing: they are not about the same examples.

    Example:
        >>> paired({"a": 1, "b": 2}, {"b": 3, "a": 4})
        [(1, 4), (2, 3)]
    """
    if ours.keys() != theirs.keys():
        raise MissingRows("the two models were not asked the same; evaluate both anew")
    return [(ours[id], theirs[id]) for id in sorted(ours)]
