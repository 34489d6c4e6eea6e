"""What is wrong with the one model of a report, a line each: what a table alone does not tell."""

from unteach.report.judge import KEPT, damaged, not_forgotten, over_forgotten, recognisable
from unteach.report.record import Report
from unteach.report.verdict import one_model

SAID = (
    (not_forgotten, "not forgotten: the answers are likelier than had the model never seen them"),
    (recognisable, "still recognisable: the forget answers stand out from texts never seen"),
    (over_forgotten, "over-forgotten: the forget answers are less likely than texts never seen"),
    (damaged, f"damaged: less than {KEPT:.0%} is kept of what should stay"),
)


def what_is_wrong(report: Report) -> list[str]:
    """Lines for a terminal, in the words of the report, which says more; none where all is well.

    Example:
        >>> from unteach.nouns import Score
        >>> models = {"original": {"retain": {"probability": Score(0.9)}},
        ...           "unlearned": {"retain": {"probability": Score(0.4)}}}
        >>> what_is_wrong(Report(models=models))
        ['damaged: less than 80% is kept of what should stay']
    """
    model = one_model(report)
    return [said for holds, said in SAID if model and holds(report, model)]
