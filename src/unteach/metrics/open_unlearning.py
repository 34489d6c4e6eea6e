"""OpenUnlearning's variants, for who must compare with its numbers; asked for by compat.

Read off its code (locuslab/open-unlearning, src/evals/metrics). What is not here is the same as
ours up to its 1e-10 in denominators (probability, ROUGE, membership by loss and by reference), or
cannot be told from rows (its gradient norm is a mean over weight tensors). Token by token it leaves
out the last label, which is the end token where there is one and else a token of the answer.
"""

import math

from unteach.metrics._base import KNOWLEDGE, LIKENESS, comparison, metric
from unteach.metrics.forget_quality import ks
from unteach.metrics.intervals import mean_score
from unteach.metrics.membership import ABOUT, lowest, others, standardised
from unteach.metrics.memorization import matched, strength
from unteach.metrics.papers import OPEN_UNLEARNING
from unteach.metrics.privleak import leak
from unteach.metrics.rivals import needed
from unteach.metrics.roc import auc
from unteach.metrics.rows import Case, answers
from unteach.metrics.truth_ratio import told, truth_ratios
from unteach.metrics.utility import utility
from unteach.nouns import Row, Score

SHARE = 0.4  # of the tokens, the least likely ones, as in its TOFU and MUSE settings
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
def exact_memorization(group: str, case: Case) -> Score:
    """As `exact_memorization`, without the last token; answers of one token are left out.

    Example:
        >>> rows = [Row(id="a", logps=(-1.0,) * 3, hits=(True, False, True))]
        >>> exact_memorization("forget", Case({"forget": rows})).value
        0.5
    """
    rows = answers(case.model, group, "hits")
    return mean_score([matched(row.hits[:-1]) for row in rows if row.hits[1:]] or [math.nan])


@metric(
    "open_unlearning_extraction_strength",
    help="how much of the answer but its last token can be drawn out by its beginning, never 0",
    direction=KNOWLEDGE,
    retrained=SAME,
    gaming="its least value is one over the length, so short answers have more",
    **FACTS,
)
def extraction_strength(group: str, case: Case) -> Score:
    """As `extraction_strength`, without the last token, and never less than 1/n of n tokens.

    The least k is looked for among 0 to n - 1, so an answer of which nothing is extracted has 1/n
    where ours has 0. Answers of one token have 0.

    Example:
        >>> rows = [Row(id="a", logps=(-1.0,) * 5, hits=(True, True, True, False, True))]
        >>> extraction_strength("forget", Case({"forget": rows})).value  # 1/4, not 0
        0.25
    """
    rows = answers(case.model, group, "hits")
    return mean_score([_floored(row.hits[:-1]) for row in rows])


@metric(
    "open_unlearning_truth_ratio",
    help="as truth_ratio, with the geometric mean of the wrong answers' probabilities",
    direction={"forget": "as retrained", "holdout": "unchanged", "": "high"},
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def truth_ratio(group: str, case: Case) -> Score:
    """Mean of min(R, 1/R) on forget, of max(0, 1 - R) elsewhere; R with the geometric mean.

    Example:
        >>> rows = [Row(id="a", logps=(math.log(0.5),))] + [
        ...     Row(id="a", kind="perturbed", index=k, logps=(math.log(p),))
        ...     for k, p in enumerate((0.1, 0.4))]
        >>> round(truth_ratio("forget", Case({"forget": rows})).value, 4)  # sqrt(0.04) / 0.5
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
def truth_ratio_share(group: str, case: Case) -> Score:
    """Mean of 1 / (1 + R); R with the geometric mean.

    Example:
        >>> rows = [Row(id="a", logps=(math.log(0.5),))] + [
        ...     Row(id="a", kind="perturbed", index=k, logps=(math.log(p),))
        ...     for k, p in enumerate((0.1, 0.4))]
        >>> round(truth_ratio_share("forget", Case({"forget": rows})).value, 4)  # 0.5 / 0.7
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
def by_min_k(group: str, case: Case) -> Score:
    """AUC of the mean log-probability of the least likely 40% of all tokens but the last.

    Example:
        >>> groups = {"forget": [Row(id="a", logps=(-1.0, -9.0))],
        ...           "holdout": [Row(id="b", logps=(-2.0, 0.0))]}
        >>> by_min_k("forget", Case(groups)).value
        1.0
    """

    def scores(group: str, case: Case) -> list[float]:
        return [_least(row) for row in answers(case.model, group)]

    return auc(scores(group, case), others(scores, case))


@metric(
    "open_unlearning_membership_auc_min_k_plus_plus",
    help=f"{ABOUT} (likewise, each token against what was to be expected)",
    retrained=SAME,
    gaming=SAME,
    **FORGET,
)
def by_min_k_plus_plus(group: str, case: Case) -> Score:
    """The same, after each token's log p was standardised over the vocabulary.

    Its least variance is 1e-6, so its least standard deviation is 1e-3 where ours is 1e-6.

    Example:
        >>> row, other = (Row(id="a", logps=(x, 0.0), means=(-3.0,) * 2, spreads=(2.0,) * 2)
        ...               for x in (-1.0, -2.0))
        >>> by_min_k_plus_plus("forget", Case({"forget": [row], "holdout": [other]})).value
        1.0
    """

    def scores(group: str, case: Case) -> list[float]:
        return [
            _lowest(standardised(row, least=1e-3)[:-1])
            for row in answers(case.model, group, "means", "spreads")
        ]

    return auc(scores(group, case), others(scores, case))


@metric(
    "open_unlearning_model_utility",
    help="as model_utility, with the geometric mean of the wrong answers' probabilities",
    direction={"": "high"},
    groups=("retain",),
    retrained=SAME,
    gaming=SAME,
    **FACTS,
)
def model_utility(group: str, case: Case) -> Score:
    """As `model_utility`; R with the geometric mean.

    Example:
        >>> rows = [Row(id="a", logps=(0.0,), rouge_l_recall=0.5),
        ...         Row(id="a", kind="perturbed", logps=(-1e3,))]
        >>> round(model_utility("retain", Case({"retain": rows})).value, 4)  # 3 / (1 + 2 + 1)
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
def forget_quality(case: Case) -> Score:
    """As `forget_quality`; R with the geometric mean, as in TOFU's own code.

    Example:
        >>> rows = {"forget": [Row(id="a", logps=(-1.0,)),
        ...                    Row(id="a", kind="perturbed", logps=(-2.0,))]}
        >>> forget_quality(Case(rows, retrained=rows)).value
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
def privleak(case: Case) -> Score:
    """As `privleak`, by all tokens but the last.

    Without a retrained model OpenUnlearning takes an AUC of 0.5 for its own; here it is missing.

    Example:
        >>> known, never = ({"forget": [Row(id="a", logps=(x, 0.0))],
        ...                  "holdout": [Row(id="b", logps=(-2.0, 0.0))]} for x in (-1.0, -2.0))
        >>> privleak(Case(known, retrained=never)).value  # MUSE's AUCs are 0 and 0.5
        -100.0
    """
    return leak(case, _least)


def ratios(rows: list[Row]) -> dict[str, float]:
    """R of each example with the geometric mean."""
    return truth_ratios(rows, geometric=True)


def _floored(hits: tuple[bool, ...]) -> float:
    return max(strength(hits), 1 / len(hits)) if hits else 0.0


def _least(row: Row) -> float:
    return _lowest(row.logps[:-1])


def _lowest(values: tuple[float, ...]) -> float:
    return lowest(values, SHARE) if values else 0.0
