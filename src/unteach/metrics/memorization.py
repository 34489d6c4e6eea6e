"""Memorisation metrics: exact memorization, extraction strength and reciprocal rank."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import EXTRACTION
from unteach.metrics.rows import ModelCase, answers, read
from unteach.types import Paper, Score

EXACT = Paper(
    title="Memorization Without Overfitting: Analyzing the Training Dynamics of Large Language "
    "Models",
    authors="Kushal Tirumala and Aram H. Markosyan and Luke Zettlemoyer and Armen Aghajanyan",
    year=2022,
    arxiv="2205.10770",
    where="exact memorization",
    venue="NeurIPS 2022",
)
BROKEN = "on forget, a model that is broken everywhere has 0"


@metric(
    "exact_memorization",
    help="share of the answer's tokens that are the model's first choice",
    direction=KNOWLEDGE,
    retrained="on forget, far above 0: many tokens of any text can be guessed",
    gaming=BROKEN,
    paper=EXACT,
)
def exact_memorization(group: str, case: ModelCase) -> Score:
    """Mean over answers of the share of tokens that were the model's most likely ones.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=4, logp=-1.0, matched=0.75)]
        >>> exact_memorization("forget", ModelCase({"forget": rows})).value
        0.75
    """
    return mean_score(read(answers(case.model, group, "matched"), "matched"))


@metric(
    "extraction_strength",
    help="how much of the answer can be drawn out word for word by its beginning",
    direction=KNOWLEDGE,
    retrained="on forget, above 0: the last tokens of many answers can be guessed",
    gaming=BROKEN + "; one wrong last token gives 0, whatever stands before it",
    paper=EXTRACTION,
)
def extraction_strength(group: str, case: ModelCase) -> Score:
    """Mean over answers of the longest suffix that the model completes, as a share of the answer.

    That is 1 - k/n for the smallest k from which on every token is the most likely one. It is 0 if
    the last token is not (OpenUnlearning's code gives 1/n then).

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=4, logp=-1.0, strength=0.5)]  # hits: yes, no, yes, yes
        >>> extraction_strength("forget", ModelCase({"forget": rows})).value
        0.5
    """
    return mean_score(read(answers(case.model, group, "strength"), "strength"))


@metric(
    "reciprocal_rank",
    help="how near the top of the model's choices the answer's tokens stand (1: first; 0.5: "
    "second), so that a second choice, which sampling would find, is not nothing",
    direction=KNOWLEDGE,
    retrained="above its exact memorization",
    gaming=BROKEN,
)
def reciprocal_rank(group: str, case: ModelCase) -> Score:
    """Mean over answers of the mean of 1 / (1 + number of more likely tokens) over its tokens.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=4, logp=-1.0, reciprocal_rank=0.625)]  # (1 + 1/4) / 2
        >>> reciprocal_rank("forget", ModelCase({"forget": rows})).value
        0.625
    """
    return mean_score(read(answers(case.model, group, "reciprocal_rank"), "reciprocal_rank"))
