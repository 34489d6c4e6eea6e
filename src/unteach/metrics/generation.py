"""Compare generated answers with the true ones: ROUGE-L and fact recall."""

from collections.abc import Callable

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score, share_score
from unteach.metrics.papers import MUSE, TOFU
from unteach.metrics.rows import MissingRows, ModelCase, answers
from unteach.types import Row, Score

RETRAINED = "on forget, above 0: it says something of the same form, with other facts"


@metric(
    "rouge_l_recall",
    help="how much of the answer's wording the model says when asked",
    direction=KNOWLEDGE,
    retrained=RETRAINED,
    gaming="on forget, a model that says nothing has 0; elsewhere, one that says very much gains",
    paper=TOFU,
)
def rouge_l_recall(group: str, case: ModelCase) -> Score:
    """Mean ROUGE-L recall of the greedy answer against the true one, between 0 and 1.

    Length of the longest common subsequence of words, divided by the words of the true answer.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, rouge_l_recall=0.75)]
        >>> rouge_l_recall("forget", ModelCase({"forget": rows})).value
        0.75
    """
    return mean_score(said(group, case, lambda row: row.rouge_l_recall))


@metric(
    "rouge_l_f1",
    help="how like the answer's wording is what the model says: saying more takes away too",
    direction=KNOWLEDGE,
    retrained=RETRAINED,
    gaming="on forget, a model that says nothing, or goes on for ever, has 0",
    paper=MUSE,
)
def rouge_l_f1(group: str, case: ModelCase) -> Score:
    """Mean ROUGE-L F1 of the greedy answer: the harmonic mean of recall and precision.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, rouge_l_f1=0.5)]
        >>> rouge_l_f1("forget", ModelCase({"forget": rows})).value
        0.5
    """
    return mean_score(said(group, case, lambda row: row.rouge_l_f1))


@metric(
    "fact_recall",
    help="how often the model still gives the right fact when asked",
    direction=KNOWLEDGE,
    retrained="on forget, how often the fact can be guessed",
    gaming="on forget, a model that says nothing has 0; elsewhere, one that lists every fact has 1",
)
def fact_recall(group: str, case: ModelCase) -> Score:
    """Share of the greedy answers that contain the example's `fact`.

    Example:
        >>> rows = [Row(id=id, tokens=1, logp=-1.0, fact_given=id == "a") for id in "abcd"]
        >>> fact_recall("forget", ModelCase({"forget": rows})).value
        0.25
    """
    given = [row.fact_given for row in answers(case.model, group) if row.fact_given is not None]
    if not given:
        raise MissingRows("the data has no `fact` column (the short string an answer hinges on)")
    return share_score(given)


def said(group: str, case: ModelCase, read: Callable[[Row], float | None]) -> list[float]:
    """A value of each greedy answer of a group. Raises MissingRows when none was generated."""
    found = [value for row in answers(case.model, group) if (value := read(row)) is not None]
    if not found:
        raise MissingRows("no answer was generated (raw texts have no question to ask)")
    return found
