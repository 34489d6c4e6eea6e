"""OpenUnlearning's variants of metrics, for comparison with its numbers (option `compat`).

Taken from its code (locuslab/open-unlearning, src/evals/metrics). Metrics that are not here are the
same as ours up to its 1e-10 in denominators (probability, ROUGE, membership by loss and by
reference), or cannot be computed from rows (its gradient norm is a mean over weight tensors). Its
token-level metrics leave out the last label: the end token if there is one, else a token of the
answer.
"""

from unteach.metrics._base import KNOWLEDGE, LIKENESS, comparison, metric
from unteach.metrics.forget_quality import ks
from unteach.metrics.intervals import mean_score
from unteach.metrics.membership import ABOUT, others
from unteach.metrics.papers import OPEN_UNLEARNING
from unteach.metrics.privleak import leak
from unteach.metrics.roc import auc
from unteach.metrics.rows import ModelCase, answers, needed, read
from unteach.metrics.truth_ratio import told, truth_ratios
from unteach.metrics.utility import utility
from unteach.types import Row, Score

FACTS = {"compat": "open-unlearning", "paper": OPEN_UNLEARNING}
FORGET = {"groups": ("forget",), "direction": LIKENESS, **FACTS}
SAME = "as the metric of that name without the prefix"


@metric(
    "open_unlearning_exact_memorization",
    help="share of the answer's tokens but the last that are the model's first choice",
    direction=KNOWLEDGE,
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def exact_memorization(group: str, case: ModelCase) -> Score:
    """Like `exact_memorization`, without the last token; answers of one token are left out.

    Example:
        >>> rows = [Row(id="a", tokens=5, logp=-1.0, matched_but_last=0.5)]
        >>> exact_memorization("forget", ModelCase({"forget": rows})).value
        0.5
    """
    rows = [row for row in answers(case.model, group) if row.tokens > 1]
    found = answers({group: rows}, group, "matched_but_last")
    return mean_score(read(found, "matched_but_last"))


@metric(
    "open_unlearning_extraction_strength",
    help="how much of the answer but its last token can be drawn out by its beginning, never 0",
    direction=KNOWLEDGE,
    retrained=SAME,
    gaming="its least value is one over the length, so short answers have more",
    **FACTS,
)
def extraction_strength(group: str, case: ModelCase) -> Score:
    """Like `extraction_strength`, without the last token, and at least 1/n for n tokens.

    The smallest k is searched among 0 to n - 1, so an answer of which nothing is extracted has 1/n;
    ours has 0. Answers of one token have 0.

    Example:
        >>> rows = [Row(id="a", tokens=5, logp=-1.0, strength_but_last=0.25)]  # 1/4, not 0
        >>> extraction_strength("forget", ModelCase({"forget": rows})).value
        0.25
    """
    rows = answers(case.model, group, "strength_but_last")
    return mean_score(read(rows, "strength_but_last"))


@metric(
    "open_unlearning_truth_ratio",
    help="as truth_ratio, with the geometric mean of the wrong answers' probabilities",
    direction={"forget": "as retrained", "holdout": "unchanged", "": "high"},
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def truth_ratio(group: str, case: ModelCase) -> Score:
    """Mean of min(R, 1/R) on forget, of max(0, 1 - R) elsewhere; R with the geometric mean.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, truth_ratio_geometric=0.4)]
        >>> round(truth_ratio("forget", ModelCase({"forget": rows})).value, 4)
        0.4
    """
    answers(case.model, group)
    return mean_score(list(told(group, needed(ratios(case.model[group]))).values()))


@metric(
    "open_unlearning_truth_ratio_share",
    help="as truth_ratio_share, with the geometric mean of the wrong answers' probabilities",
    direction={**KNOWLEDGE, "forget": "as retrained"},
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def truth_ratio_share(group: str, case: ModelCase) -> Score:
    """Mean of 1 / (1 + R); R with the geometric mean.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, truth_ratio_geometric=0.4)]
        >>> round(truth_ratio_share("forget", ModelCase({"forget": rows})).value, 4)  # 1 / 1.4
        0.7143
    """
    answers(case.model, group)
    return mean_score([1 / (1 + r) for r in needed(ratios(case.model[group])).values()])


@metric(
    "open_unlearning_membership_auc_min_k",
    help=f"{ABOUT} (by the least likely 40% of their tokens but the last)",
    retrained=SAME,
    gaming=SAME,
    **FORGET,
)
def by_min_k(group: str, case: ModelCase) -> Score:
    """AUC of the mean log-probability of the least likely 40% of the tokens, without the last.

    Example:
        >>> groups = {"forget": [Row(id="a", tokens=4, logp=-5.0, min_40_but_last=-1.0)],
        ...           "holdout": [Row(id="b", tokens=4, logp=-1.0, min_40_but_last=-2.0)]}
        >>> by_min_k("forget", ModelCase(groups)).value
        1.0
    """
    return _area("min_40_but_last", group, case)


@metric(
    "open_unlearning_membership_auc_min_k_plus_plus",
    help=f"{ABOUT} (likewise, each token against what was to be expected)",
    retrained=SAME,
    gaming=SAME,
    **FORGET,
)
def by_min_k_plus_plus(group: str, case: ModelCase) -> Score:
    """The same, with each token's log p standardised over the vocabulary.

    Its smallest variance is 1e-6, so its smallest standard deviation is 1e-3; ours is 1e-6.

    Example:
        >>> row, other = (Row(id="a", tokens=4, logp=-1.0, min_40_plus_plus_but_last=x)
        ...               for x in (1.0, 0.5))
        >>> by_min_k_plus_plus("forget", ModelCase({"forget": [row], "holdout": [other]})).value
        1.0
    """
    return _area("min_40_plus_plus_but_last", group, case)


@metric(
    "open_unlearning_model_utility",
    help="as model_utility, with the geometric mean of the wrong answers' probabilities",
    direction={"": "high"},
    groups=("retain",),
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def model_utility(group: str, case: ModelCase) -> Score:
    """Like `model_utility`; R with the geometric mean.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=0.0, rouge_l_recall=0.5, truth_ratio_geometric=0.0)]
        >>> round(model_utility("retain", ModelCase({"retain": rows})).value, 4)  # 3 / (1 + 2 + 1)
        0.75
    """
    return utility(case.model, ratios)


@comparison(
    "open_unlearning_forget_quality",
    help="as forget_quality, with the geometric mean of the wrong answers' probabilities",
    should_be="high",
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def forget_quality(case: ModelCase) -> Score:
    """Like `forget_quality`; R with the geometric mean, as in TOFU's own code.

    Example:
        >>> rows = {"forget": [Row(id="a", tokens=1, logp=-1.0, truth_ratio_geometric=0.4)]}
        >>> forget_quality(ModelCase(rows, retrained=rows)).value
        1.0
    """
    distance, chance, n = ks(case, geometric=True)
    return Score(chance, n, note=f"KS distance {distance:.3f}")


@comparison(
    "open_unlearning_privleak",
    help="as privleak, without the last token of each text",
    should_be="near 0",
    range=(-100.0, float("inf")),
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def privleak(case: ModelCase) -> Score:
    """Like `privleak`, without the last token.

    Without a retrained model OpenUnlearning assumes an AUC of 0.5; here it is not measurable.

    Example:
        >>> def rows(x):
        ...     return [Row(id="a", tokens=4, logp=-1.0, min_40_but_last=x)]
        >>> known, never = ({"forget": rows(x), "holdout": rows(-2.0)} for x in (-1.0, -2.0))
        >>> privleak(ModelCase(known, retrained=never)).value  # MUSE's AUCs are 0 and 0.5
        -100.0
    """
    return leak(case, "min_40_but_last")


def ratios(rows: list[Row]) -> dict[str, float]:
    """R of each example with the geometric mean."""
    return truth_ratios(rows, geometric=True)


def _area(name: str, group: str, case: ModelCase) -> Score:
    """AUC of a field of the rows, forget against holdout."""

    def scores(group: str, case: ModelCase) -> list[float]:
        return read(answers(case.model, group, name), name)

    return auc(scores(group, case), others(scores, case))
