"""Whether the model prefers wrong answers to the right one."""

import math
from collections import defaultdict

from unteach.metrics._base import metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import TOFU
from unteach.metrics.rows import Case, Missing, answers, mean_logp, whole
from unteach.nouns import Row, Score

LEAST = -1e6  # nats per token; stands for a probability of 0


@metric(
    "truth_ratio",
    help="forget: how near wrong answers come to the right one (1: cannot tell them apart); "
    "elsewhere: how far the right answer leads (1: by far)",
    direction={"forget": "as retrained", "holdout": "unchanged", "": "high"},
    paper=TOFU,
)
def truth_ratio(group: str, case: Case) -> Score:
    """Mean of min(R, 1/R) on forget, of max(0, 1 - R) on other groups, as TOFU sums it up."""
    answers(case.model, group)
    ratios = truth_ratios(case.model[group]).values()
    if not ratios:
        raise Missing("the data has no `perturbed_answer` column (wrong answers)")
    if group == "forget":
        return mean_score([min(r, 1 / r) for r in ratios])
    return mean_score([max(0.0, 1 - r) for r in ratios])


def truth_ratios(rows: list[Row]) -> dict[str, float]:
    """R of each example: mean probability of its wrong answers over that of the right one.

    The right answer is the paraphrase where there is one. Probabilities are per token, so lengths
    do not matter; their mean is arithmetic, as in equation 1 of TOFU (arXiv 2401.06121), while
    TOFU's code takes the geometric mean for forget quality. In log space, so that a broken model
    has a ratio too.
    """
    right: dict[str, float] = {}
    wrong: dict[str, list[float]] = defaultdict(list)
    # "answer" sorts before "paraphrase", which replaces it.
    for row in sorted(whole(rows), key=lambda r: (r.kind, r.index)):
        if not row.logps:
            continue
        if row.kind == "perturbed":
            wrong[row.id].append(_floored(mean_logp(row)))
        else:
            right[row.id] = _floored(mean_logp(row))
    return {id: _ratio(wrong[id], right[id]) for id in sorted(wrong) if id in right}


def _floored(logp: float) -> float:
    return LEAST if logp < LEAST else logp  # unlike max, keeps a nan, which is no small number


def _ratio(wrong: list[float], right: float) -> float:
    top = max(wrong)
    log_mean = top + math.log(sum(math.exp(w - top) for w in wrong) / len(wrong))
    return math.exp(min(max(log_mean - right, -700.0), 700.0))
