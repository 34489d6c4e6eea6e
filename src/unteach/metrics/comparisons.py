"""What can only be said of a model beside another: the one retrained without the forget set."""

import math
from typing import Any

from unteach.metrics._base import METRICS, comparison
from unteach.metrics.papers import MUSE, TOFU
from unteach.metrics.rows import Case, Missing
from unteach.metrics.truth_ratio import truth_ratios
from unteach.nouns import Score


@comparison(
    "forget_quality",
    help="chance of truth ratios this far apart if both models were alike (TOFU calls it forgotten "
    "above 0.05); says nothing of what else was lost",
    should_be="high",
    paper=TOFU,
)
def forget_quality(case: Case) -> Score:
    """p-value of the two-sample Kolmogorov-Smirnov test on truth ratios (TOFU, section 2.2.2)."""
    from scipy.stats import ks_2samp

    ours, theirs = (
        list(truth_ratios(g.get("forget", [])).values())
        for g in (case.model, case.beside("retrained"))
    )
    if not ours or not theirs:
        raise Missing("the forget data has no `perturbed_answer` column (wrong answers)")
    if not all(map(math.isfinite, ours + theirs)):
        return Score(math.nan)
    found: Any = ks_2samp(ours, theirs)
    note = f"KS distance {float(found.statistic):.3f}; read it beside utility, never alone"
    return Score(float(found.pvalue), len(ours), note=note)


@comparison(
    "forget_quality_log10",
    help="the same, as a power of ten",
    should_be="near 0",
    range=(-300.0, 0.0),
    paper=TOFU,
)
def forget_quality_log10(case: Case) -> Score:
    """The same, as a power of ten; never below -300."""
    quality = forget_quality(case)
    if quality.value is None or math.isnan(quality.value):
        return quality
    return Score(math.log10(max(quality.value, 1e-300)), quality.n)


@comparison(
    "utility_ratio",
    help="utility over that of the retrained model",
    should_be="1 or more",
    range=(0.0, math.inf),
    paper=TOFU,
)
def utility_ratio(case: Case) -> Score:
    """Model utility over that of the retrained model."""
    ours, theirs, n = _both("model_utility", "retain", case)
    if not theirs:
        raise Missing("the retrained model has no utility")
    return Score(ours / theirs, n)


@comparison(
    "probability_gap",
    help="probability of the forget answers minus that under the retrained model",
    should_be="near 0",
    range=(-1.0, 1.0),
)
def probability_gap(case: Case) -> Score:
    """Probability of the forget answers minus that under the retrained model."""
    ours, theirs, n = _both("probability", "forget", case)
    return Score(ours - theirs, n)


@comparison(
    "membership_auc_loss_gap",
    help="distance of the membership AUC from the retrained model's",
    should_be="near 0",
)
def membership_auc_loss_gap(case: Case) -> Score:
    """Distance of the two membership AUCs, whichever is larger."""
    ours, theirs, n = _both("membership_auc_loss", "forget", case)
    return Score(abs(ours - theirs), n)


@comparison(
    "privleak",
    help="membership by the least likely tokens against the retrained model, in percent: below 0 "
    "under-forgotten, above 0 over-forgotten",
    should_be="near 0",
    range=(-100.0, math.inf),
    paper=MUSE,
)
def privleak(case: Case) -> Score:
    """(AUC - AUC retrained) / AUC retrained, in percent (MUSE, arXiv 2407.06460).

    MUSE's AUC is high when holdout texts look more like members than forget texts do, ours when
    forget texts do, so each is taken from 1: below 0 is under-forgotten, above 0 over-forgotten.
    Our Min-K% takes the least likely 20% of the tokens, MUSE's code 40%.
    """
    ours, theirs, n = _both("membership_auc_min_k", "forget", case)
    if theirs == 1:
        raise Missing("the retrained model recognises every forget answer")
    return Score(100 * ((1 - ours) - (1 - theirs)) / (1 - theirs), n)


def _both(name: str, group: str, case: Case) -> tuple[float, float, int]:
    """A metric of both models, and the number of examples behind it."""
    ours, theirs = (
        METRICS.get(name)(group, groups) for groups in (case.model, case.beside("retrained"))
    )
    for score in (ours, theirs):
        if score.value is None:
            raise Missing(score.note.removeprefix("not measurable: "))
    return ours.value or 0.0, theirs.value or 0.0, ours.n
