"""What the model says when asked."""

from unteach.metrics._base import Groups, answers, mean_score, metric, missing
from unteach.nouns import Paper, Row, Score

ROUGE = Paper(
    title="TOFU: A Task of Fictitious Unlearning for LLMs",
    authors="Pratyush Maini and Zhili Feng and Avi Schwarzschild and Zachary C. Lipton and "
    "J. Zico Kolter",
    year=2024,
    arxiv="2401.06121",
    where="section 2.2",
    venue="COLM 2024",
)


@metric(
    "rouge_l_recall",
    help="how much of the answer's wording the model says when asked",
    paper=ROUGE,
)
def rouge_l_recall(rows: list[Row], groups: Groups) -> Score:
    """Mean ROUGE-L recall of the greedy answer against the true one, between 0 and 1."""
    values = [row.rouge_l_recall for row in answers(rows) if row.rouge_l_recall is not None]
    return mean_score(values) if values else missing("no answer was generated")


@metric("fact_recall", help="how often the model still gives the right fact when asked")
def fact_recall(rows: list[Row], groups: Groups) -> Score:
    """Share of the greedy answers that contain the example's `fact`."""
    values = [float(row.fact_given) for row in answers(rows) if row.fact_given is not None]
    if not values:
        return missing("the data has no `fact` column (the short string an answer hinges on)")
    return mean_score(values)
