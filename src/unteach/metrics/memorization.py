"""How much of an answer the model has by heart, token for token."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import EXTRACTION
from unteach.metrics.rows import Case, answers
from unteach.nouns import Paper, Score

EXACT = Paper(
    title="Memorization Without Overfitting: Analyzing the Training Dynamics of Large Language "
    "Models",
    authors="Kushal Tirumala and Aram H. Markosyan and Luke Zettlemoyer and Armen Aghajanyan",
    year=2022,
    arxiv="2205.10770",
    where="exact memorization",
    venue="NeurIPS 2022",
)


@metric(
    "exact_memorization",
    help="share of the answer's tokens that are the model's first choice",
    direction=KNOWLEDGE,
    paper=EXACT,
)
def exact_memorization(group: str, case: Case) -> Score:
    """Mean over answers of the share of tokens that were the likeliest."""
    rows = answers(case.model, group, "hits")
    return mean_score([sum(row.hits) / len(row.hits) for row in rows])


@metric(
    "extraction_strength",
    help="how much of the answer can be drawn out word for word by its beginning",
    direction=KNOWLEDGE,
    paper=EXTRACTION,
)
def extraction_strength(group: str, case: Case) -> Score:
    """Mean over answers of the longest end that the model completes, as a share of the answer.

    That is 1 - k/n for the least k from which on every token is the likeliest. It is 0 where not
    even the last one is (OpenUnlearning's code gives 1/n there).
    """
    return mean_score([strength(row.hits) for row in answers(case.model, group, "hits")])


def strength(hits: tuple[bool, ...]) -> float:
    """Length of the run of hits at the end over the length; 0 when the last token is no hit.

    Example:
        >>> strength((True, False, True, True))
        0.5
    """
    run = next((k for k, hit in enumerate(reversed(hits)) if not hit), len(hits))
    return run / len(hits)
