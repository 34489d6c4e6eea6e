"""Per-example values of a model: scores between 0 and 1, and membership attack scores."""

import math
from collections.abc import Callable
from typing import Any

from unteach.metrics.rows import Groups, MissingRows, mean_logp, probability, scored
from unteach.metrics.truth_ratio import truth_ratios
from unteach.types import SHORT, Row

ValueOf = Callable[[list[Row]], dict[str, dict[str, float]]]  # name -> example -> number
Table = dict[str, Any]  # name -> one number for each example, nan where the data has none

OWN: dict[str, Callable[[Row], float | None]] = {
    "probability": lambda row: probability(row) if row.tokens else None,
    "extraction_strength": lambda row: row.strength,
    "exact_memorization": lambda row: row.matched,
    "rouge_l_recall": lambda row: row.rouge_l_recall,
    "fact_recall": lambda row: None if row.fact_given is None else float(row.fact_given),
}
ATTACKS: dict[str, Callable[[Row], float | None]] = {
    "loss": mean_logp,
    "zlib": lambda row: mean_logp(row) / row.zlib if row.zlib else None,
    "min_k": lambda row: row.min_k,
    "min_k_plus_plus": lambda row: row.min_k_plus_plus,
}


def shown(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Name -> example -> value, for all values that the rows hold.

    Example:
        >>> rows = [Row(id="a", tokens=2, logp=0.0, strength=0.5, fact_given=True)]
        >>> shown(rows)["extraction_strength"], shown(rows)["fact_recall"]
        ({'a': 0.5}, {'a': 1.0})
    """
    answers = [row for row in rows if row.kind == "answer"]
    paraphrases = scored(rows, "paraphrase")
    values = {name: {row.id: of(row) for row in answers} for name, of in OWN.items()}
    values["paraphrase_probability"] = {row.id: probability(row) for row in paraphrases}
    # The share of the right answer, p / (p + wrong), since R = wrong / p has no upper bound.
    values["truth_ratio_share"] = {id: 1 / (1 + r) for id, r in truth_ratios(rows).items()}
    kept = {n: {i: v for i, v in of.items() if v is not None} for n, of in values.items()}
    return {name: of for name, of in kept.items() if of}


def attacked(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Attack -> example -> score, high for a member; only attacks with scores for all answers.

    Answers that are too short for the row to hold the number (`SHORT`) are left out.
    """
    found = {}
    for name, of in ATTACKS.items():
        least = 1 if name in ("loss", "zlib") else SHORT
        values = {r.id: of(r) for r in scored(rows, "answer") if r.tokens >= least}
        if values and None not in values.values():
            found[name] = values
    return found


def tables(read: ValueOf, models: list[Groups], group: str) -> list[Table]:
    """One table for each model, with the same names and the same examples in the same order.

    Raises:
        MissingRows: the models have different examples or values, or a value is nan.
    """
    import numpy

    found = [read(groups.get(group, [])) for groups in models]
    keys = [{name: of.keys() for name, of in one.items()} for one in found]
    if any(one != keys[0] for one in keys):
        raise MissingRows(
            f"the models were not asked the same in `{group}`; evaluate all of them anew"
        )
    if any(math.isnan(value) for one in found for of in one.values() for value in of.values()):
        raise MissingRows(f"a model gives nan in `{group}`")
    ids = sorted({row.id for row in models[0].get(group, []) if row.kind == "answer"})
    return [
        {
            name: numpy.array([of.get(id, numpy.nan) for id in ids], dtype=float)
            for name, of in one.items()
        }
        for one in found
    ]


def size(table: Table) -> int:
    """Number of examples of a table."""
    return len(next(iter(table.values()))) if table else 0


def area(x: Any, y: Any) -> Any:
    """Area between the cumulative curves of two samples of equal size: the Wasserstein-1 distance.

    That is the mean distance between the sorted values, along the last axis.

    Example:
        >>> import numpy
        >>> float(area(numpy.array([0.0, 1.0]), numpy.array([0.75, 0.25])))
        0.25
    """
    import numpy

    return mean(numpy.abs(numpy.sort(x) - numpy.sort(y)))


def mean(values: Any) -> Any:
    """Mean without nan values, along the last axis; 0 where all are nan."""
    import numpy

    valid = ~numpy.isnan(values)
    return numpy.where(valid, values, 0.0).sum(-1) / numpy.maximum(valid.sum(-1), 1)


def placed(members: Any, others: Any) -> Any:
    """Share of the others below each member, row by row; ties count half, nan stays nan.

    The mean is the AUC, and the cumulative curve is the mirrored ROC curve.

    Example:
        >>> import numpy
        >>> placed(numpy.array([[1.0, 2.0, 9.0]]), numpy.array([[2.0, 3.0]])).tolist()
        [[0.0, 0.25, 1.0]]
    """
    import numpy

    found = numpy.full(members.shape, numpy.nan)
    for row, these, those in zip(found, members, numpy.sort(others), strict=True):
        those = those[~numpy.isnan(those)]
        below, not_above = (those.searchsorted(these, side=side) for side in ("left", "right"))
        row[:] = (below + not_above) / (2 * max(len(those), 1))
    found[numpy.isnan(members)] = numpy.nan
    return found
