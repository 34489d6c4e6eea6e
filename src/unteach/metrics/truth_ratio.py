"""TOFU's truth ratio: probability of wrong answers relative to the right one."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import OPEN_UNLEARNING, TOFU
from unteach.metrics.rows import ModelCase, answers, needed, numbers
from unteach.types import Row, Score


@metric(
    "truth_ratio",
    help="forget: how near wrong answers come to the right one (1: cannot tell them apart); "
    "elsewhere: how far the right answer leads (1: by far)",
    direction={"forget": "as retrained", "holdout": "unchanged", "": "high"},
    retrained="on forget, below 1: also to a model that never saw it, some answers sound likelier",
    gaming="on forget, a model that finds everything equally unlikely has 1",
    paper=TOFU,
)
def truth_ratio(group: str, case: ModelCase) -> Score:
    """Mean of min(R, 1/R) on forget, and of max(0, 1 - R) on other groups, as in TOFU.

    R is the mean probability of the wrong answers over that of the right one (`truth_ratios`).

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, truth_ratio=0.25)]
        >>> case = ModelCase({"forget": rows, "retain": rows})
        >>> [round(truth_ratio(group, case).value, 4) for group in ("forget", "retain")]
        [0.25, 0.75]
    """
    answers(case.model, group)
    return mean_score(list(needed(told(group, truth_ratios(case.model[group]))).values()))


@metric(
    "truth_ratio_share",
    help="how much likelier the right answer is than a wrong one, as a share of both (1: by far; "
    "0.5: cannot tell them apart; 0: the wrong ones are believed)",
    direction={**KNOWLEDGE, "forget": "as retrained"},
    retrained="on forget, near 0.5, a little above or below as the answers happen to sound",
    gaming="a model that finds everything equally unlikely has 0.5, as if it had never learned",
    paper=OPEN_UNLEARNING,
)
def truth_ratio_share(group: str, case: ModelCase) -> Score:
    """Mean of 1 / (1 + R), which is p(right) / (p(right) + mean p(wrong)), between 0 and 1.

    R is that of `truth_ratio`. Unlike min(R, 1/R), it distinguishes a model that prefers the wrong
    answers from one that prefers the right one.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, truth_ratio=0.25)]
        >>> round(truth_ratio_share("forget", ModelCase({"forget": rows})).value, 4)  # 1 / 1.25
        0.8
    """
    answers(case.model, group)
    return mean_score([1 / (1 + r) for r in needed(truth_ratios(case.model[group])).values()])


def told(group: str, ratios: dict[str, float]) -> dict[str, float]:
    """Each R as TOFU aggregates it: min(R, 1/R) on forget, max(0, 1 - R) elsewhere."""
    if group == "forget":
        return {id: nearer(r) for id, r in ratios.items()}
    # In this order, so that nan stays nan.
    return {id: 0.0 if r > 1 else 1 - r for id, r in ratios.items()}


def nearer(ratio: float) -> float:
    """min(R, 1/R)."""
    return min(ratio, 1 / ratio) if ratio else 0.0


def truth_ratios(rows: list[Row], *, geometric: bool = False) -> dict[str, float]:
    """R of each example that has wrong answers: their mean probability over the right one's.

    Args:
        rows: of one group.
        geometric: take the geometric mean.
    """
    name = "truth_ratio_geometric" if geometric else "truth_ratio"
    return numbers(rows, name)
