"""KL divergence of the model's next-token distributions from the original's."""

from unteach.metrics._base import metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.rows import MissingRows, ModelCase, answers, read
from unteach.types import Score


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
def divergence(group: str, case: ModelCase) -> Score:
    """Mean over all answer tokens of KL(original || model) over the vocabulary, in nats.

    Each token counts once, so long answers count more.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=6, logp=-1.0, divergence=0.2),
        ...         Row(id="b", tokens=4, logp=-1.0, divergence=1.0)]
        >>> round(divergence("retain", ModelCase({"retain": rows})).value, 2)  # (6 x 0.2 + 4) / 10
        0.52
    """
    rows = answers(case.model, group)
    if all(row.divergence is None for row in rows):
        raise MissingRows("the original was not at hand when the model was evaluated")
    rows = answers(case.model, group, "divergence")
    return mean_score(read(rows, "divergence"), read(rows, "tokens"), (0.0, float("inf")))
