"""Whether one can tell from the model that it was trained on the forget set."""

import math
from collections.abc import Callable

from unteach.metrics._base import LIKENESS, metric
from unteach.metrics.intervals import Z
from unteach.metrics.papers import EXTRACTION
from unteach.metrics.rows import Case, Groups, Missing, answers, mean_logp
from unteach.nouns import Paper, Row, Score

LOSS = Paper(
    title="Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting",
    authors="Samuel Yeom and Irene Giacomelli and Matt Fredrikson and Somesh Jha",
    year=2017,
    arxiv="1709.01604",
    where="the loss attack",
    venue="CSF 2018",
)
MIN_K = Paper(
    title="Detecting Pretraining Data from Large Language Models",
    authors="Weijia Shi and Anirudh Ajith and Mengzhou Xia and Yangsibo Huang and Daogao Liu and "
    "Terra Blevins and Danqi Chen and Luke Zettlemoyer",
    year=2023,
    arxiv="2310.16789",
    where="Min-K% Prob",
    venue="ICLR 2024",
)
MIN_K_PLUS = Paper(
    title="Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language Models",
    authors="Jingyang Zhang and Jingwei Sun and Eric Yeats and Yang Ouyang and Martin Kuo and "
    "Jianyi Zhang and Hao Frank Yang and Hai Li",
    year=2024,
    arxiv="2404.02936",
    where="Min-K%++",
    venue="ICLR 2025",
)
SHARE = 0.2  # of the tokens, the least likely ones; the papers' usual choice
ABOUT = "1: forget answers stand out from texts never seen; 0.5: they do not; 0: over-forgotten"


@metric(
    "membership_auc_loss",
    help=f"{ABOUT} (by their probability)",
    direction=LIKENESS,
    groups=("forget",),
    paper=LOSS,
)
def by_loss(group: str, case: Case) -> Score:
    """AUC of the mean log-probability, forget against holdout."""
    return auc(group, case.model, mean_logp)


@metric(
    "membership_auc_zlib",
    help=f"{ABOUT} (by probability against how far the text compresses)",
    direction=LIKENESS,
    groups=("forget",),
    paper=EXTRACTION,
)
def by_zlib(group: str, case: Case) -> Score:
    """AUC of the log-probability over the size of the text under zlib."""
    return auc(group, case.model, lambda row: sum(row.logps) / row.zlib, "zlib")


@metric(
    "membership_auc_min_k",
    help=f"{ABOUT} (by their least likely tokens)",
    direction=LIKENESS,
    groups=("forget",),
    paper=MIN_K,
)
def by_min_k(group: str, case: Case) -> Score:
    """AUC of the mean over the least likely fifth of the tokens."""
    return auc(group, case.model, lambda row: lowest(row.logps))


@metric(
    "membership_auc_min_k_plus_plus",
    help=f"{ABOUT} (by their least likely tokens, each against what was to be expected)",
    direction=LIKENESS,
    groups=("forget",),
    paper=MIN_K_PLUS,
)
def by_min_k_plus_plus(group: str, case: Case) -> Score:
    """AUC of the same, after each token's log p was standardised over the vocabulary."""
    return auc(group, case.model, lambda row: lowest(standardised(row)), "means", "spreads")


def standardised(row: Row) -> tuple[float, ...]:
    """(log p - mean) / standard deviation at each token."""
    # A distribution without spread says nothing of a token; a tiny divisor would let it decide.
    parts = zip(row.logps, row.means, row.spreads, strict=True)
    return tuple((logp - mean) / max(spread, 1e-6) for logp, mean, spread in parts)


def lowest(values: tuple[float, ...], share: float = SHARE) -> float:
    """Mean of the lowest `share` of the values, at least one.

    Example:
        >>> lowest((5.0, 1.0, 4.0, 3.0, 2.0))
        1.0
    """
    count = max(int(share * len(values)), 1)
    return sum(sorted(values)[:count]) / count


def auc(group: str, groups: Groups, score: Callable[[Row], float], *fields: str) -> Score:
    """Probability that a forget answer scores above a holdout answer; ties count half.

    The interval is DeLong's (Biometrics 44, 1988). There is none with fewer than two answers on a
    side, nor where all comparisons end alike: the data then cannot tell how sure the value is.

    Args:
        group: the answers that may be members.
        groups: the rows of all groups, "holdout" among them.
        score: high for a member.
        fields: what it reads of a row beside the log-probabilities.

    Raises:
        Missing: there is no holdout set, or a field is empty.
    """
    import numpy
    from scipy.stats import rankdata

    members = [score(row) for row in answers(groups, group, *fields)]
    if not groups.get("holdout"):
        raise Missing("no holdout set is given (texts like the forget set, never trained on)")
    others = [score(row) for row in answers(groups, "holdout", *fields)]
    m, n = len(members), len(others)
    ranks = rankdata([*members, *others])
    beaten = (ranks[:m] - rankdata(members)) / n  # share of the others below each member
    beating = 1 - (ranks[m:] - rankdata(others)) / m  # share of the members above each other
    value = float(beaten.mean())
    if min(m, n) < 2 or not math.isfinite(value):
        return Score(value, m + n)
    variance = numpy.var(beaten, ddof=1) / m + numpy.var(beating, ddof=1) / n
    half = Z * math.sqrt(float(variance))
    if half == 0:
        return Score(value, m + n)
    return Score(value, m + n, max(value - half, 0.0), min(value + half, 1.0))
