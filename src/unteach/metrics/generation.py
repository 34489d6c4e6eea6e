"""What the model says when asked."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score, share_score
from unteach.metrics.papers import TOFU
from unteach.metrics.rows import Case, Missing, answers
from unteach.nouns import Score


@metric(
    "rouge_l_recall",
    help="how much of the answer's wording the model says when asked",
    direction=KNOWLEDGE,
    paper=TOFU,
)
def rouge_l_recall(group: str, case: Case) -> Score:
    """Mean ROUGE-L recall of the greedy answer against the true one, between 0 and 1."""
    rows = answers(case.model, group)
    values = [row.rouge_l_recall for row in rows if row.rouge_l_recall is not None]
    if not values:
        raise Missing("no answer was generated (raw texts have no question to ask)")
    return mean_score(values)


@metric(
    "fact_recall",
    help="how often the model still gives the right fact when asked",
    direction=KNOWLEDGE,
)
def fact_recall(group: str, case: Case) -> Score:
    """Share of the greedy answers that contain the example's `fact`."""
    given = [row.fact_given for row in answers(case.model, group) if row.fact_given is not None]
    if not given:
        raise Missing("the data has no `fact` column (the short string an answer hinges on)")
    return share_score(given)
