"""Probabilistic extraction: the chance that one of n sampled answers is the answer itself."""

import math

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.rows import ModelCase, answers
from unteach.types import Paper, Row, Score

TRIES = 100  # sampled answers
PROBABILISTIC = Paper(
    title="Measuring memorization in language models via probabilistic extraction",
    authors="Jamie Hayes and Marika Swanberg and Harsh Chaudhari and Itay Yona and "
    "Ilia Shumailov and Milad Nasr and Christopher A. Choquette-Choo and Katherine Lee and "
    "A. Feder Cooper",
    year=2024,
    arxiv="2410.19482",
    where="the probability of at least one extraction in n independent queries",
    venue="NAACL 2025",
)


@metric(
    "probabilistic_extraction",
    help="how likely one of 100 sampled answers is the answer word for word (temperature 1)",
    direction=KNOWLEDGE,
    retrained="on forget, near 0; above it where answers are short or easy to guess",
    gaming="on forget, a model that is broken everywhere has 0; another wording is not counted",
    paper=PROBABILISTIC,
)
def probabilistic_extraction(group: str, case: ModelCase) -> Score:
    """Mean over answers of 1 - (1 - p)^100, where p is the probability of the whole answer.

    Example:
        >>> rows = [Row(id="a", tokens=4, logp=-1.0)]  # p = exp(-4)
        >>> round(probabilistic_extraction("forget", ModelCase({"forget": rows})).value, 4)
        0.8425
    """
    found = answers(case.model, group, "logp")
    return mean_score([extracted_once(row) for row in found])


def extracted_once(row: Row, tries: int = TRIES) -> float:
    """Probability that at least one of `tries` independent samples is the answer.

    Samples are drawn from the whole distribution at temperature 1. Nothing is sampled: the
    probability of the answer is the exponential of its log-probability.

    Args:
        row: of an answer with tokens.
        tries: number of samples.

    Example:
        >>> extracted_once(Row(id="a", tokens=2, logp=0.0)), extracted_once(
        ...     Row(id="b", tokens=400, logp=-9.0)
        ... )
        (1.0, 0.0)
    """
    assert row.logp is not None, "it has no token to score"
    whole = math.exp(min(row.tokens * row.logp, 0.0))
    return 1.0 if whole >= 1 else -math.expm1(tries * math.log1p(-whole))
