"""Rows as metrics read them, and what is missing named."""

import math
from dataclasses import dataclass

from unteach.types import LITTLE, SHORT, Row

Groups = dict[str, list[Row]]


@dataclass(frozen=True)
class ModelCase:
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
            raise MissingRows(f"no {name} model is given")
        return found


class MissingRows(Exception):
    """What a metric needs is not in the rows; the text says what it is and how to get it."""


def answers(groups: Groups, group: str, *fields: str) -> list[Row]:
    """The user's own answers of a group, with these fields filled.

    Left out are answers without a single token, where there is nothing to score, and those that are
    too short for a row to have the field (`SHORT`).

    Raises:
        Missing: there are none, or one of enough tokens lacks a field.
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
    """The answers of a group in other words. Raises Missing when there are none."""
    answers(groups, group)
    found = scored(groups[group], "paraphrase")
    if not found:
        raise MissingRows("the data has no `paraphrased_answer` column (the answer in other words)")
    return found


def scored(rows: list[Row], kind: str = "") -> list[Row]:
    """Those with a token to score, of one kind where one is given."""
    return [row for row in rows if row.tokens and kind in ("", row.kind)]


def mean_logp(row: Row) -> float:
    """Mean log-probability per token, in nats: does not fall with the length of an answer."""
    assert row.logp is not None, "it has no token to score"
    return row.logp


def probability(row: Row) -> float:
    """Its exponential, between 0 and 1."""
    return math.exp(mean_logp(row))


def numbers(rows: list[Row], name: str) -> dict[str, float]:
    """A field of the user's own answers by id, of those that have it."""
    found = {row.id: getattr(row, name) for row in rows if row.kind == "answer"}
    return {id: float(found[id]) for id in sorted(found) if found[id] is not None}


def needed(found: dict) -> dict:
    """What was found. Raises Missing when that is nothing."""
    if not found:
        raise MissingRows("the data has no `perturbed_answer` column (wrong answers)")
    return found


def read(rows: list[Row], name: str) -> list[float]:
    """A field of rows that have it (see `answers`)."""
    return [float(getattr(row, name)) for row in rows]
