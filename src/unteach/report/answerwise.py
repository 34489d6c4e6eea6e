"""Collect the probability of each forget answer under each model, for the figure of answers."""

from collections.abc import Mapping
from typing import NamedTuple

from unteach.escaping import markdown
from unteach.metrics.rows import Groups, MissingRows, answers, probability

MOST = 6  # maximum number of models in the figure
OUTSIDE = 20  # one in this many unseen answers lies below the band, and one in this many above


class Strip(NamedTuple):
    """Probabilities of the answers of one group under one model.

    Attributes:
        name: label of the model.
        kind: "original", "retrained" or "other".
        values: probability per token of each answer, rounded as in its row.
    """

    name: str
    kind: str
    values: list[float]


class Answers(NamedTuple):
    """The data of the figure of single answers.

    Attributes:
        strips: the forget answers by model, followed by unseen answers.
        band: range of most unseen answers; None where there are none.
        never: which answers stand for unseen ones, in words.
    """

    strips: list[Strip]
    band: tuple[float, float] | None
    never: str


def answerwise(rows: Mapping[str, Groups]) -> Answers | None:
    """The data of the figure; None without rows, or with too many models.

    Unseen answers are the forget answers under the retrained model; without one, the holdout
    answers under the original model.

    Args:
        rows: of each model by its label.
    """
    models = [name for name in rows if name != "retrained"]
    if not models or len(models) > MOST:
        return None
    kinds = {name: "original" if name == "original" else "other" for name in models}
    strips = [Strip(markdown(n), kinds[n], _values(rows[n], "forget")) for n in models]
    strips = [strip for strip in strips if strip.values]
    if not strips:
        return None
    if values := _values(rows.get("retrained", {}), "forget"):
        name, never = "retrained", "the forget answers, as the retrained model finds them"
    elif values := _values(rows.get("original") or rows[models[0]], "holdout"):
        name, never = "holdout, before", "holdout answers, which no model saw"
    else:
        return Answers(strips, None, "")
    return Answers([*strips, Strip(name, "retrained", values)], _band(values), never)


def _values(groups: Groups, group: str) -> list[float]:
    try:
        return [probability(row) for row in answers(groups, group)]
    except MissingRows:
        return []


def _band(values: list[float]) -> tuple[float, float]:
    """Range of the middle 90% of the values; of all values if there are few."""
    found, cut = sorted(values), len(values) // OUTSIDE
    return found[cut], found[-1 - cut]
