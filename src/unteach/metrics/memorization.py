"""How much of an answer the model has by heart, token for token."""

from unteach.metrics._base import Groups, answers, mean_score, metric
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
STRENGTH = Paper(
    title="Extracting Training Data from Large Language Models",
    authors="Nicholas Carlini and Florian Tramer and Eric Wallace and Matthew Jagielski and "
    "Ariel Herbert-Voss and Katherine Lee and Adam Roberts and Tom Brown and Dawn Song and "
    "Ulfar Erlingsson and Alina Oprea and Colin Raffel",
    year=2020,
    arxiv="2012.07805",
    where="extraction from a prefix; as a strength between 0 and 1, as OpenUnlearning scores it",
    venue="USENIX Security 2021",
)


@metric(
    "exact_memorization",
    help="share of the answer's tokens that are the model's first choice",
    paper=EXACT,
)
def exact_memorization(rows: list[Row], groups: Groups) -> Score:
    """Mean over answers of the share of tokens that were the likeliest."""
    return mean_score([sum(row.hits) / len(row.hits) for row in answers(rows)])


@metric(
    "extraction_strength",
    help="how much of the answer can be drawn out word for word by its beginning",
    paper=STRENGTH,
)
def extraction_strength(rows: list[Row], groups: Groups) -> Score:
    """Mean over answers of the longest end that the model completes, as a share of the answer."""
    return mean_score([strength(row.hits) for row in answers(rows)])


def strength(hits: tuple[bool, ...]) -> float:
    """Length of the run of hits at the end over the length; 0 when the last token is no hit.

    Example:
        >>> strength((True, False, True, True))
        0.5
    """
    run = next((k for k, hit in enumerate(reversed(hits)) if not hit), len(hits))
    return run / len(hits)
