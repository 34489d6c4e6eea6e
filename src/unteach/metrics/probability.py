"""How likely the answers are, per token."""

import math

from unteach.metrics._base import Groups, answers, mean_score, metric
from unteach.metrics._base import probability as of_row
from unteach.nouns import Row, Score


@metric(
    "probability",
    help="how likely the model finds the answer, per token (1 knows it by heart)",
)
def probability(rows: list[Row], groups: Groups) -> Score:
    """Mean over answers of exp(mean log p of the answer's tokens), between 0 and 1."""
    return mean_score([of_row(row) for row in answers(rows)])


@metric("perplexity", help="how surprised the model is by the answers' tokens (1 not at all)")
def perplexity(rows: list[Row], groups: Groups) -> Score:
    """Exp of the mean negative log-probability over all answer tokens."""
    logps = [logp for row in answers(rows) for logp in row.logps]
    # exp of more than 700 nats is no float any more; nothing is gained by telling such apart
    return Score(math.exp(min(-sum(logps) / len(logps), 700)), len(answers(rows)))
