"""Probability that the model picks the right answer among wrong ones."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import TOFU
from unteach.metrics.rows import ModelCase, answers, needed, numbers
from unteach.types import Row, Score


@metric(
    "choice_probability",
    help="how likely the right answer is among the right and the wrong ones (1: always picks it; "
    "with three wrong ones, 0.25 is guessing)",
    direction=KNOWLEDGE,
    retrained="on forget, near 1 / (1 + wrong answers), which is guessing; elsewhere as before",
    gaming="a model that finds everything equally unlikely guesses, which is what forgetting looks "
    "like",
    paper=TOFU,
)
def choice_probability(group: str, case: ModelCase) -> Score:
    """Mean of p(right) / (p(right) + sum of p(wrong)), each p per token as in `probability`.

    TOFU's probability of real authors and world facts (section 2.2.1). The right answer is the
    given one, not its paraphrase.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, choice=0.5)]
        >>> choice_probability("facts", ModelCase({"facts": rows})).value
        0.5
    """
    answers(case.model, group)
    return mean_score(list(needed(choices(case.model[group])).values()))


def choices(rows: list[Row]) -> dict[str, float]:
    """Choice probability of each example that has wrong answers."""
    return numbers(rows, "choice")
