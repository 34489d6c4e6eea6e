"""Forget quality: a KS test between the truth ratios of the model and of the retrained model."""

import math
import warnings
from typing import Any

from unteach.metrics._base import comparison
from unteach.metrics.papers import TOFU
from unteach.metrics.rows import ModelCase, needed
from unteach.metrics.truth_ratio import truth_ratios
from unteach.types import Score


@comparison(
    "forget_quality",
    help="chance of truth ratios this far apart if both models were alike (TOFU calls it forgotten "
    "above 0.05); says nothing of what else was lost",
    should_be="high",
    retrained="any value between 0 and 1, each as likely; rarely below 0.05",
    gaming="a model that finds everything equally unlikely can have a high one; with few examples "
    "all have",
    paper=TOFU,
)
def forget_quality(case: ModelCase) -> Score:
    """p-value of the two-sample Kolmogorov-Smirnov test on truth ratios (TOFU, section 2.2.2).

    R is that of `truth_ratio`, with the arithmetic mean of equation 1. TOFU's code uses the
    geometric mean here: `open_unlearning_forget_quality`.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id=str(k), tokens=1, logp=-1.0, truth_ratio=k / 9) for k in range(9)]
        >>> forget_quality(ModelCase({"forget": rows}, retrained={"forget": rows})).value
        1.0
    """
    distance, chance, n = ks(case)
    note = f"KS distance {distance:.3f}; read it beside utility, never alone"
    return Score(chance, n, note=note)


@comparison(
    "forget_quality_ks",
    help="how far apart the truth ratios of the two models are (0: not at all; 1: they do not "
    "overlap); unlike forget_quality it does not sink with the number of examples",
    should_be="near 0",
    retrained="near 0, more so with many examples",
    gaming="a model that finds everything equally unlikely can come near",
    paper=TOFU,
)
def forget_quality_ks(case: ModelCase) -> Score:
    """KS statistic: the largest distance between the two cumulative curves, between 0 and 1.

    Example:
        >>> from unteach.types import Row
        >>> near, far = ({"forget": [
        ...     Row(id=str(k), tokens=1, logp=-1.0, truth_ratio=d + k) for k in range(4)]}
        ...     for d in (1.0, 3.0))
        >>> forget_quality_ks(ModelCase(near, retrained=far)).value  # two of four lie past others
        0.5
    """
    distance, _, n = ks(case)
    return Score(distance, n)


@comparison(
    "forget_quality_log10",
    help="the chance that is forget_quality, as a power of ten",
    should_be="near 0",
    range=(-300.0, 0.0),
    retrained="rarely below -1.3, which stands for 0.05",
    gaming="as forget_quality",
    paper=TOFU,
)
def forget_quality_log10(case: ModelCase) -> Score:
    """log10 of `forget_quality`; never below -300.

    Example:
        >>> from unteach.types import Row
        >>> rows = {"forget": [Row(id="a", tokens=1, logp=-1.0, truth_ratio=0.4)]}
        >>> forget_quality_log10(ModelCase(rows, retrained=rows)).value
        0.0
    """
    _, chance, n = ks(case)
    return Score(chance if math.isnan(chance) else math.log10(max(chance, 1e-300)), n)


def ks(case: ModelCase, *, geometric: bool = False) -> tuple[float, float, int]:
    """KS distance and p-value of the two models' truth ratios, and the number of examples.

    Both are nan if a ratio is.
    """
    from scipy.stats import ks_2samp

    ours, theirs = (
        list(needed(truth_ratios(groups.get("forget", []), geometric=geometric)).values())
        for groups in (case.model, case.beside("retrained"))
    )
    if not all(map(math.isfinite, ours + theirs)):
        return math.nan, math.nan, len(ours)
    with warnings.catch_warnings():  # scipy warns when it falls back to the asymptotic p-value
        warnings.simplefilter("ignore", RuntimeWarning)
        test: Any = ks_2samp(ours, theirs)
    return float(test.statistic), float(test.pvalue), len(ours)
