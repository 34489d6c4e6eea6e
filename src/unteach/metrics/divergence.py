"""How far the model has moved from the original, whatever the true tokens are."""

from unteach.metrics._base import metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.rows import Case, Missing, answers
from unteach.nouns import Row, Score


@metric(
    "divergence",
    help="how far the model's next-token choices are from the original's, in nats per token (0: "
    "not at all)",
    direction={
        "forget": "as retrained",
        "verbmem": "as retrained",
        "knowmem": "as retrained",
        "": "low",
    },
    range=(0.0, float("inf")),
    retrained="on forget, well above 0; elsewhere what another seed alone makes",
    gaming="the original has 0 everywhere; a broken model has much everywhere: it is good only "
    "where it is much on forget and little elsewhere",
)
def divergence(group: str, case: Case) -> Score:
    """Mean over all answer tokens of KL(original || model) over the vocabulary, in nats.

    Each token counts once, so long answers count more. Rounding below 0 counts as 0.

    Example:
        >>> rows = [Row(id="a", logps=(-1.0,) * 3, divergences=(0.0, 0.2, 0.4)),
        ...         Row(id="b", logps=(-1.0,), divergences=(1.0,))]
        >>> divergence("retain", Case({"retain": rows})).value  # (0 + 0.2 + 0.4 + 1) / 4
        0.4
    """
    rows = answers(case.model, group)
    if not all(row.divergences for row in rows):
        raise Missing("the original was not at hand when the model was evaluated")
    means, tokens = [_mean(row) for row in rows], [float(len(row.logps)) for row in rows]
    return mean_score(means, tokens, (0.0, float("inf")))


def _mean(row: Row) -> float:
    found = sum(row.divergences) / len(row.divergences)
    return 0.0 if found < 0 else found  # unlike max, keeps a nan
