"""How likely the answers are, per token."""

import math

from unteach.metrics._base import KNOWLEDGE, SURPRISE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.rows import Case, answers, mean_logp
from unteach.metrics.rows import probability as of_row
from unteach.nouns import Score

MOST = 700.0  # nats; exp of more is no float any more


@metric(
    "probability",
    help="how likely the model finds the answer, per token (1: knows it by heart)",
    direction=KNOWLEDGE,
)
def probability(group: str, case: Case) -> Score:
    """Mean over answers of exp(mean log p of the answer's tokens), between 0 and 1."""
    return mean_score([of_row(row) for row in answers(case.model, group)])


@metric(
    "perplexity",
    help="how surprised the model is by each of the answers' tokens (1: not at all)",
    direction=SURPRISE,
)
def perplexity(group: str, case: Case) -> Score:
    """Exp of the mean negative log-probability over all answer tokens, long answers counting more.

    Never above exp(700): a model as broken as that needs no more digits.
    """
    rows = answers(case.model, group)
    nll = mean_score([-mean_logp(row) for row in rows], [float(len(row.logps)) for row in rows])
    value, low, high = (x if x is None else _exp(x) for x in (nll.value, nll.low, nll.high))
    return Score(value, nll.n, low, high)


def _exp(nll: float) -> float:
    return nll if math.isnan(nll) else math.exp(min(nll, MOST))
