"""Whether the model prefers wrong answers to the right one."""

import math
from collections import defaultdict

from unteach.metrics._base import Groups, answers, mean_score, metric, missing, probability
from unteach.metrics.generation import ROUGE as TOFU
from unteach.nouns import Row, Score


@metric(
    "truth_ratio",
    help="forget: how near wrong answers come to the right one (1 cannot tell them apart); "
    "else: how far the right answer leads (1 by far)",
    paper=TOFU,
)
def truth_ratio(rows: list[Row], groups: Groups) -> Score:
    """Mean of min(R, 1/R) on forget, of max(0, 1 - R) on other groups, as TOFU sums it up."""
    ratios = list(truth_ratios(rows).values())
    if not ratios:
        return missing("the data has no `perturbed_answer` column (wrong answers)")
    if rows is groups.get("forget"):
        return mean_score([math.exp(-abs(_log(r))) for r in ratios])
    return mean_score([max(0.0, 1 - r) for r in ratios])


def truth_ratios(rows: list[Row]) -> dict[str, float]:
    """R of each example: mean probability of its wrong answers over that of the right one.

    The right answer is the paraphrase where there is one (TOFU, arXiv 2401.06121, equation 1).
    Probabilities are per token, so lengths do not matter.
    """
    right: dict[str, float] = {row.id: probability(row) for row in answers(rows)}
    right |= {row.id: probability(row) for row in rows if row.kind == "paraphrase"}
    wrong: dict[str, list[float]] = defaultdict(list)
    for row in sorted((r for r in rows if r.kind == "perturbed"), key=lambda r: r.index):
        wrong[row.id].append(probability(row))
    tiny = 1e-300  # a right answer of probability 0 gives a large ratio, not an error
    return {
        id: sum(found) / len(found) / max(right[id], tiny)
        for id, found in sorted(wrong.items())
        if id in right
    }


def _log(ratio: float) -> float:
    return math.log(max(ratio, 1e-300))
