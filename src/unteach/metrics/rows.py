"""Rows as metrics read them: the windows of a long text joined, and what is missing named."""

import math
from dataclasses import dataclass, replace

from unteach.nouns import Row

Groups = dict[str, list[Row]]
TOKENS = ("logps", "hits", "ranks", "means", "spreads", "divergences")


@dataclass(frozen=True)
class Case:
    """The rows of a model, and of the models beside it.

    Attributes:
        model: rows by group.
        original: those of the model before unlearning; None where it is not known.
        retrained: those of a model that never saw the forget set; None where there is none.
    """

    model: Groups
    original: Groups | None = None
    retrained: Groups | None = None

    def beside(self, name: str) -> Groups:
        """The rows of another model. Raises Missing when there are none."""
        found = self.original if name == "original" else self.retrained
        if not found:
            raise Missing(f"no {name} model is given")
        return found


class Missing(Exception):
    """What a metric needs is not in the rows; the text says what it is and how to get it."""


def answers(groups: Groups, group: str, *fields: str) -> list[Row]:
    """The user's own answers of a group, with these fields filled.

    Answers without a single token are left out: there is nothing to score.

    Raises:
        Missing: there are none, or a field of theirs is empty.
    """
    own = [row for row in groups.get(group, []) if row.kind == "answer" and row.logps]
    found = whole(own)
    if not found:
        raise Missing("no examples in this group")
    for name in fields:
        if not all(getattr(row, name) for row in found):
            raise Missing(f"the rows have no `{name}`; evaluate the model again")
    return found


def paraphrases(groups: Groups, group: str) -> list[Row]:
    """The answers of a group in other words. Raises Missing when there are none."""
    answers(groups, group)
    found = whole([row for row in groups[group] if row.kind == "paraphrase" and row.logps])
    if not found:
        raise Missing("the data has no `paraphrased_answer` column (the answer in other words)")
    return found


def whole(rows: list[Row]) -> list[Row]:
    """The rows with the windows of a long text (`id`, `id/2`, ...) joined to one, in their order.

    Sizes, ROUGE and facts are of the whole text and stand on each window: the first one's count.

    Example:
        >>> whole([Row(id="a/2", logps=(-2.0,)), Row(id="a", logps=(-1.0,))])[0].logps
        (-1.0, -2.0)
    """
    windows: dict[tuple[str, str, int], list[tuple[int, Row]]] = {}
    for row in rows:
        id, _, window = row.id.rpartition("/")
        id, place = (id, int(window)) if id and window.isdecimal() else (row.id, 1)
        windows.setdefault((id, row.kind, row.index), []).append((place, row))
    return [
        _joined(key[0], [row for _, row in sorted(found, key=lambda pair: pair[0])])
        for key, found in windows.items()
    ]


def mean_logp(row: Row) -> float:
    """Mean log-probability per token, in nats: does not fall with the length of an answer."""
    return sum(row.logps) / len(row.logps)


def probability(row: Row) -> float:
    """Its exponential, between 0 and 1."""
    return math.exp(mean_logp(row))


def _joined(id: str, rows: list[Row]) -> Row:
    if len(rows) == 1:
        return rows[0] if rows[0].id == id else replace(rows[0], id=id)
    parts = {name: tuple(x for row in rows for x in getattr(row, name)) for name in TOKENS}
    return replace(rows[0], id=id, **parts)
