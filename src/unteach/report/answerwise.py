"""How likely each forget answer is to each model, beside answers that were never seen."""

from collections.abc import Mapping
from typing import NamedTuple

from unteach.escaping import markdown
from unteach.metrics.rows import Groups, MissingRows, answers, probability

MOST = 6  # models that have a strip each
OUTSIDE = 20  # one in so many answers never seen lies below the band, and as many above


class Strip(NamedTuple):
    """The answers of one group as one model finds them.

    Attributes:
        name: the model, in words.
        kind: "original", "retrained" or "other".
        values: probability per token of each answer, as coarse as its row has it.
    """

    name: str
    kind: str
    values: list[float]


class Answers(NamedTuple):
    """All that the picture of single answers shows.

    Attributes:
        strips: the forget answers by model, and at last those never seen.
        band: where most of those never seen lie; None where there are none.
        never: what stands for answers never seen, in words.
    """

    strips: list[Strip]
    band: tuple[float, float] | None
    never: str


def answerwise(rows: Mapping[str, Groups]) -> Answers | None:
    """The forget answers one by one; None without rows, or with too many models for one picture.

    Answers never seen are the retrained model's forget answers; without it, the holdout answers as
    the model before unlearning finds them.

    Args:
        rows: of each model by its label.
    """
    asked = [name for name in rows if name != "retrained"]
    if not asked or len(asked) > MOST:
        return None
    kinds = {name: "original" if name == "original" else "other" for name in asked}
    strips = [Strip(markdown(n), kinds[n], _values(rows[n], "forget")) for n in asked]
    strips = [strip for strip in strips if strip.values]
    if not strips:
        return None
    if values := _values(rows.get("retrained", {}), "forget"):
        said, never = "retrained", "the forget answers, as the retrained model finds them"
    elif values := _values(rows.get("original") or rows[asked[0]], "holdout"):
        said, never = "holdout, before", "holdout answers, which no model saw"
    else:
        return Answers(strips, None, "")
    return Answers([*strips, Strip(said, "retrained", values)], _band(values), never)


def _values(groups: Groups, group: str) -> list[float]:
    try:
        return [probability(row) for row in answers(groups, group)]
    except MissingRows:
        return []


def _band(values: list[float]) -> tuple[float, float]:
    """The middle nine tenths; all of them where they are few."""
    found, cut = sorted(values), len(values) // OUTSIDE
    return found[cut], found[-1 - cut]
