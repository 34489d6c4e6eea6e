"""Gaps and ratios between a metric of the model and of the retrained model."""

from unteach.metrics._base import comparison
from unteach.metrics.intervals import mean_score
from unteach.metrics.paired import both, paired
from unteach.metrics.papers import TOFU
from unteach.metrics.rows import MissingRows, ModelCase, answers, probability
from unteach.types import Score


@comparison(
    "utility_ratio",
    help="utility over that of the retrained model",
    should_be="1 or more",
    range=(0.0, float("inf")),
    retrained="near 1",
    gaming="the original has 1 or more",
    paper=TOFU,
)
def utility_ratio(case: ModelCase) -> Score:
    """`model_utility` over that of the retrained model.

    Example:
        >>> from unteach.types import Row
        >>> def groups(recall):
        ...     found = Row(id="a", tokens=1, logp=0.0, rouge_l_recall=recall, truth_ratio=0.0)
        ...     return {"retain": [found]}
        >>> utility_ratio(ModelCase(groups(0.5), retrained=groups(1.0))).value  # 0.75 / 1
        0.75
    """
    ours, theirs, n = both("model_utility", "retain", case)
    if not theirs:
        raise MissingRows("the retrained model has no utility")
    return Score(ours / theirs, n)


@comparison(
    "probability_gap",
    help="probability of the forget answers minus that under the retrained model",
    should_be="near 0",
    range=(-1.0, 1.0),
    retrained="near 0",
    gaming="a model that knows half of the answers by heart and broke the other half",
)
def probability_gap(case: ModelCase) -> Score:
    """Mean over the forget answers of `probability` minus that under the retrained model.

    Example:
        >>> from unteach.types import Row
        >>> ours, theirs = ({"forget": [Row(id="a", tokens=1, logp=x)]}
        ...                 for x in (0.0, float("-inf")))
        >>> probability_gap(ModelCase(ours, retrained=theirs)).value
        1.0
    """
    ours, theirs = (
        {row.id: probability(row) for row in answers(groups, "forget")}
        for groups in (case.model, case.beside("retrained"))
    )
    gaps = [mine - other for mine, other in paired(ours, theirs)]
    return mean_score(gaps, within=(-1.0, 1.0))


@comparison(
    "membership_auc_loss_gap",
    help="distance of the membership AUC from the retrained model's",
    should_be="near 0",
    retrained="near 0",
    gaming="a model that is broken everywhere is near 0 where holdout is like the forget set",
)
def membership_auc_loss_gap(case: ModelCase) -> Score:
    """Absolute difference of `membership_auc_loss` between the model and the retrained one.

    Example:
        >>> from unteach.types import Row
        >>> ours, theirs = ({"forget": [Row(id="a", tokens=1, logp=x)],
        ...                  "holdout": [Row(id="b", tokens=1, logp=-2.0)]} for x in (-1.0, -2.0))
        >>> membership_auc_loss_gap(ModelCase(ours, retrained=theirs)).value  # 1 and 0.5
        0.5
    """
    ours, theirs, n = both("membership_auc_loss", "forget", case)
    return Score(abs(ours - theirs), n)
