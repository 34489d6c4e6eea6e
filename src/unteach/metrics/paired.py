"""Pair the values of a model and of the retrained model by example."""

from typing import TypeVar

from unteach.metrics._base import METRICS
from unteach.metrics.rows import MissingRows, ModelCase

T = TypeVar("T")


def both(name: str, group: str, case: ModelCase) -> tuple[float, float, int]:
    """A metric of the model and of the retrained one, and its number of examples.

    Raises:
        MissingRows: one of them has no value, with the reason.
    """
    scores = [
        METRICS.get(name)(group, ModelCase(rows, original=case.original))
        for rows in (case.model, case.beside("retrained"))
    ]
    for score in scores:
        if score.value is None:
            raise MissingRows(score.note.removeprefix("not measurable: "))
    ours, theirs = scores
    return ours.value or 0.0, theirs.value or 0.0, ours.n


def paired(ours: dict[str, T], theirs: dict[str, T]) -> list[tuple[T, T]]:
    """Pairs of the values of each example, sorted by id.

    Raises:
        MissingRows: the examples differ.

    Example:
        >>> paired({"a": 1, "b": 2}, {"b": 3, "a": 4})
        [(1, 4), (2, 3)]
    """
    if ours.keys() != theirs.keys():
        raise MissingRows("the two models were not asked the same; evaluate both anew")
    return [(ours[id], theirs[id]) for id in sorted(ours)]
