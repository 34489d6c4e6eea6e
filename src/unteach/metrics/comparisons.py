"""What can only be said of a model beside another: the one retrained without the forget set."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unteach.metrics._base import METRICS, measured
from unteach.metrics.papers import MUSE, TOFU
from unteach.metrics.rows import Groups, Missing
from unteach.metrics.truth_ratio import truth_ratios
from unteach.nouns import Paper, Score


@dataclass(frozen=True)
class Comparison:
    """One question about a model and the retrained one.

    Attributes:
        help: what it says, for a layman.
        should_be: the value of a well unlearned model, in words.
        function: from the rows of both to a score.
        paper: where it comes from.
    """

    help: str
    should_be: str
    function: Callable[[Groups, Groups], Score]
    paper: Paper | None = None


def compare(model: Groups, retrained: Groups) -> dict[str, Score]:
    """Every comparison of a model's rows with the retrained model's rows."""
    return {
        name: measured(lambda c=comparison: c.function(model, retrained))
        for name, comparison in COMPARISONS.items()
    }


def forget_quality(model: Groups, retrained: Groups) -> Score:
    """p-value of the two-sample Kolmogorov-Smirnov test on truth ratios (TOFU, section 2.2.2)."""
    from scipy.stats import ks_2samp

    ours, theirs = (list(truth_ratios(g.get("forget", [])).values()) for g in (model, retrained))
    if not ours or not theirs:
        raise Missing("the forget data has no `perturbed_answer` column (wrong answers)")
    if not all(map(math.isfinite, ours + theirs)):
        return Score(math.nan)
    found: Any = ks_2samp(ours, theirs)
    note = f"KS distance {float(found.statistic):.3f}; read it beside utility, never alone"
    return Score(float(found.pvalue), len(ours), note=note)


def forget_quality_log10(model: Groups, retrained: Groups) -> Score:
    """The same, as a power of ten; never below -300."""
    quality = forget_quality(model, retrained)
    if quality.value is None or math.isnan(quality.value):
        return quality
    return Score(math.log10(max(quality.value, 1e-300)), quality.n)


def utility_ratio(model: Groups, retrained: Groups) -> Score:
    """Model utility over that of the retrained model."""
    ours, theirs, n = _both("model_utility", "retain", model, retrained)
    if not theirs:
        raise Missing("the retrained model has no utility")
    return Score(ours / theirs, n)


def probability_gap(model: Groups, retrained: Groups) -> Score:
    """Probability of the forget answers minus that under the retrained model."""
    ours, theirs, n = _both("probability", "forget", model, retrained)
    return Score(ours - theirs, n)


def membership_auc_loss_gap(model: Groups, retrained: Groups) -> Score:
    """Distance of the two membership AUCs, whichever is larger."""
    ours, theirs, n = _both("membership_auc_loss", "forget", model, retrained)
    return Score(abs(ours - theirs), n)


def privleak(model: Groups, retrained: Groups) -> Score:
    """(AUC - AUC retrained) / AUC retrained, in percent (MUSE, arXiv 2407.06460).

    MUSE's AUC is high when holdout texts look more like members than forget texts do, ours when
    forget texts do, so each is taken from 1: below 0 is under-forgotten, above 0 over-forgotten.
    Our Min-K% takes the least likely 20% of the tokens, MUSE's code 40%.
    """
    ours, theirs, n = _both("membership_auc_min_k", "forget", model, retrained)
    if theirs == 1:
        raise Missing("the retrained model recognises every forget answer")
    return Score(100 * ((1 - ours) - (1 - theirs)) / (1 - theirs), n)


COMPARISONS = {
    "forget_quality": Comparison(
        "chance of truth ratios this far apart if both models were alike (TOFU calls it forgotten "
        "above 0.05); says nothing of what else was lost",
        "high",
        forget_quality,
        TOFU,
    ),
    "forget_quality_log10": Comparison(
        "the same, as a power of ten", "near 0", forget_quality_log10, TOFU
    ),
    "utility_ratio": Comparison(
        "utility over that of the retrained model", "1 or more", utility_ratio, TOFU
    ),
    "probability_gap": Comparison(
        "probability of the forget answers minus that under the retrained model",
        "near 0",
        probability_gap,
    ),
    "membership_auc_loss_gap": Comparison(
        "distance of the membership AUC from the retrained model's",
        "near 0",
        membership_auc_loss_gap,
    ),
    "privleak": Comparison(
        "membership by the least likely tokens against the retrained model, in percent: below 0 "
        "under-forgotten, above 0 over-forgotten",
        "near 0",
        privleak,
        MUSE,
    ),
}


def _both(name: str, group: str, model: Groups, other: Groups) -> tuple[float, float, int]:
    """A metric of both models, and the number of examples behind it."""
    ours, theirs = (METRICS.get(name)(group, groups) for groups in (model, other))
    for score in (ours, theirs):
        if score.value is None:
            raise Missing(score.note.removeprefix("not measurable: "))
    return ours.value or 0.0, theirs.value or 0.0, ours.n
