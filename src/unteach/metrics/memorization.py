"""How much of an answer the model has by heart, token for token."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import EXTRACTION
from unteach.metrics.rows import Case, answers
from unteach.nouns import Paper, Row, Score

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
def exact_memorization(group: str, case: Case) -> Score:
    """Mean over answers of the share of tokens that were the likeliest.

    Example:
        >>> rows = [Row(id="a", logps=(-1.0,) * 4, hits=(True, False, True, True))]
        >>> exact_memorization("forget", Case({"forget": rows})).value
        0.75
    """
    return mean_score([matched(row.hits) for row in answers(case.model, group, "hits")])


@metric(
    "extraction_strength",
    help="how much of the answer can be drawn out word for word by its beginning",
    direction=KNOWLEDGE,
    retrained="on forget, above 0: the last tokens of many answers can be guessed",
    gaming=BROKEN + "; one wrong last token gives 0, whatever stands before it",
    paper=EXTRACTION,
)
def extraction_strength(group: str, case: Case) -> Score:
    """Mean over answers of the longest end that the model completes, as a share of the answer.

    That is 1 - k/n for the least k from which on every token is the likeliest. It is 0 where not
    even the last one is (OpenUnlearning's code gives 1/n there).

    Example:
        >>> rows = [Row(id="a", logps=(-1.0,) * 4, hits=(True, False, True, True))]
        >>> extraction_strength("forget", Case({"forget": rows})).value
        0.5
    """
    return mean_score([strength(row.hits) for row in answers(case.model, group, "hits")])


@metric(
    "reciprocal_rank",
    help="how near the top of the model's choices the answer's tokens stand (1: first; 0.5: "
    "second), so that a second choice, which sampling would find, is not nothing",
    direction=KNOWLEDGE,
    retrained="above its exact memorization",
    gaming=BROKEN,
)
def reciprocal_rank(group: str, case: Case) -> Score:
    """Mean over answers of the mean of 1 / (1 + likelier tokens) over the answer's tokens.

    Example:
        >>> rows = [Row(id="a", logps=(-1.0,) * 2, ranks=(0, 3))]
        >>> reciprocal_rank("forget", Case({"forget": rows})).value  # (1 + 1/4) / 2
        0.625
    """
    return mean_score([_reciprocal(row) for row in answers(case.model, group, "ranks")])


def matched(hits: tuple[bool, ...]) -> float:
    """Share of the hits."""
    return sum(hits) / len(hits)


def strength(hits: tuple[bool, ...]) -> float:
    """Length of the run of hits at the end over the length; 0 when the last token is no hit.

    Example:
        >>> strength((True, False, True, True))
        0.5
    """
    run = next((k for k, hit in enumerate(reversed(hits)) if not hit), len(hits))
    return run / len(hits)


def _reciprocal(row: Row) -> float:
    return sum(1 / (1 + rank) for rank in row.ranks) / len(row.ranks)
