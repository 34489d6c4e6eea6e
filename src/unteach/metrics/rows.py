"""Read fields of rows for metrics, with errors that name what is missing."""

import math
from dataclasses import dataclass

from unteach.types import LITTLE, SHORT, Row

Groups = dict[str, list[Row]]
FORGOTTEN = ("forget", "verbmem", "knowmem")  # groups whose answers should be gone


@dataclass(frozen=True)
class ModelCase:
    """The rows of a model, and those of the original and the retrained model.

    Attributes:
        model: rows by group.
        original: rows of the original model; None where it is not known.
        retrained: rows of a model that never saw the forget set; None where there is none.
    """

    model: Groups
    original: Groups | None = None
    retrained: Groups | None = None

    def beside(self, name: str) -> Groups:
        """Rows of the "original" or "retrained" model. Raises MissingRows when there are none."""
        rows = self.original if name == "original" else self.retrained
        if not rows:
            raise MissingRows(f"no {name} model is given")
        return rows


class MissingRows(Exception):
    """The rows lack what a metric needs; the message says what, and how to get it."""


def answers(groups: Groups, group: str, *fields: str) -> list[Row]:
    """The rows of the examples' own answers in a group that have these fields.

    Answers without tokens are left out, and those that are too short for a row to hold the field
    (`SHORT`).

    Raises:
        MissingRows: there are none, or an answer of enough tokens lacks a field.
    """
    found = scored(groups.get(group, []), "answer")
    if not found:
        raise MissingRows("no examples in this group")
    for name in fields:
        has = [row for row in found if getattr(row, name) is not None]
        lacking = [row for row in found if getattr(row, name) is None]
        if any(row.tokens >= SHORT or name in LITTLE for row in lacking):
            raise MissingRows(f"the rows have no `{name}`; evaluate the model again")
        if not has:
            why = f"which `{name}` would tell to whoever has the model"
            raise MissingRows(f"no answer of {SHORT} tokens or more; shorter ones are texts {why}")
        found = has
    return found


def paraphrases(groups: Groups, group: str) -> list[Row]:
    """The paraphrase rows of a group. Raises MissingRows when there are none."""
    answers(groups, group)
    found = scored(groups[group], "paraphrase")
    if not found:
        raise MissingRows("the data has no `paraphrased_answer` column (the answer in other words)")
    return found


def scored(rows: list[Row], kind: str = "") -> list[Row]:
    """Rows with at least one scored token, of one kind if it is given."""
    return [row for row in rows if row.tokens and kind in ("", row.kind)]


def mean_logp(row: Row) -> float:
    """Mean log-probability per token, in nats, so that long answers are not less likely."""
    assert row.logp is not None, "it has no token to score"
    return row.logp


def probability(row: Row) -> float:
    """Probability per token, exp(mean log-probability), between 0 and 1."""
    return math.exp(mean_logp(row))


def numbers(rows: list[Row], name: str) -> dict[str, float]:
    """A field of the examples' own answers by id, of those that have it."""
    values = {row.id: getattr(row, name) for row in rows if row.kind == "answer"}
    return {id: float(values[id]) for id in sorted(values) if values[id] is not None}


def needed(found: dict) -> dict:
    """The dict itself. Raises MissingRows when it is empty."""
    if not found:
        raise MissingRows("the data has no `perturbed_answer` column (wrong answers)")
    return found


def read(rows: list[Row], name: str) -> list[float]:
    """A field of rows that have it (see `answers`)."""
    return [float(getattr(row, name)) for row in rows]
