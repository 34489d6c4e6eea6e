"""What can only be said of a model beside another: the one retrained without the forget set."""

import math
from typing import Any

from unteach.metrics._base import METRICS, Groups, missing
from unteach.metrics.truth_ratio import truth_ratios
from unteach.nouns import Score

HELP = {
    "forget_quality": "chance that the truth ratios of both models come from one distribution "
    "(above 0.05: cannot be told from a retrained model; says nothing of what else was lost)",
    "forget_quality_log10": "the same, as a power of ten",
    "utility_ratio": "utility over that of the retrained model (1 nothing lost)",
    "probability_gap": "probability of the forget answers minus that under the retrained model",
    "membership_auc_loss_gap": "distance of the membership AUC from the retrained model's",
    "privleak": "membership by least likely tokens against the retrained model, in percent: "
    "0 alike, below 0 under-forgotten, above 0 over-forgotten",
}


def compare(model: Groups, retrained: Groups) -> dict[str, Score]:
    """Every comparison of a model's rows with the retrained model's rows."""
    quality = forget_quality(model, retrained)
    return {
        "forget_quality": quality,
        "forget_quality_log10": _log10(quality),
        "utility_ratio": _utility_ratio(model, retrained),
        "probability_gap": _gap("probability", model, retrained),
        "membership_auc_loss_gap": _gap("membership_auc_loss", model, retrained, distance=True),
        "privleak": privleak(model, retrained),
    }


def forget_quality(model: Groups, retrained: Groups) -> Score:
    """p-value of the two-sample Kolmogorov-Smirnov test on truth ratios (TOFU, section 2.2.2)."""
    from scipy.stats import ks_2samp

    ours, theirs = (list(truth_ratios(g.get("forget", [])).values()) for g in (model, retrained))
    if not ours or not theirs:
        return missing("the forget data has no `perturbed_answer` column (wrong answers)")
    found: Any = ks_2samp(ours, theirs)
    return Score(
        float(found.pvalue),
        len(ours),
        note=f"KS distance {float(found.statistic):.3f}; read it beside utility, never alone",
    )


def privleak(model: Groups, retrained: Groups) -> Score:
    """(AUC - AUC retrained) / AUC retrained, in percent (MUSE, arXiv 2407.06460).

    MUSE's AUC counts a member as low, ours as high, so each is taken from 1.
    """
    ours, theirs = (_score("membership_auc_min_k", "forget", g) for g in (model, retrained))
    if ours.value is None or theirs.value is None:
        return ours if ours.value is None else theirs
    if theirs.value == 1:
        return missing("the retrained model recognises every forget answer")
    value = 100 * ((1 - ours.value) - (1 - theirs.value)) / (1 - theirs.value)
    return Score(value, ours.n)


def _log10(quality: Score) -> Score:
    if quality.value is None:
        return quality
    return Score(math.log10(max(quality.value, 1e-300)), quality.n)


def _utility_ratio(model: Groups, retrained: Groups) -> Score:
    ours, theirs = (_score("model_utility", "retain", g) for g in (model, retrained))
    if ours.value is None or theirs.value is None:
        return ours if ours.value is None else theirs
    if not theirs.value:
        return missing("the retrained model has no utility")
    return Score(ours.value / theirs.value, ours.n)


def _gap(name: str, model: Groups, retrained: Groups, *, distance: bool = False) -> Score:
    ours, theirs = (_score(name, "forget", g) for g in (model, retrained))
    if ours.value is None or theirs.value is None:
        return ours if ours.value is None else theirs
    gap = ours.value - theirs.value
    return Score(abs(gap) if distance else gap, ours.n)


def _score(name: str, group: str, groups: Groups) -> Score:
    return METRICS.get(name)(groups.get(group, []), groups)
