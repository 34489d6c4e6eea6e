"""Whether one can tell from the model that it was trained on the forget set."""

import math
from collections.abc import Callable

from unteach.metrics._base import Groups, answers, metric, missing
from unteach.nouns import Paper, Row, Score

LOSS = Paper(
    title="Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting",
    authors="Samuel Yeom and Irene Giacomelli and Matt Fredrikson and Somesh Jha",
    year=2017,
    arxiv="1709.01604",
    where="the loss attack",
    venue="CSF 2018",
)
ZLIB = Paper(
    title="Extracting Training Data from Large Language Models",
    authors="Nicholas Carlini and Florian Tramer and Eric Wallace and Matthew Jagielski and "
    "Ariel Herbert-Voss and Katherine Lee and Adam Roberts and Tom Brown and Dawn Song and "
    "Ulfar Erlingsson and Alina Oprea and Colin Raffel",
    year=2020,
    arxiv="2012.07805",
    where="the zlib score",
    venue="USENIX Security 2021",
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
    "membership_auc_loss", help=f"{ABOUT} (by their probability)", groups=("forget",), paper=LOSS
)
def by_loss(rows: list[Row], groups: Groups) -> Score:
    """AUC of the mean log-probability, forget against holdout."""
    return auc(rows, groups, lambda row: sum(row.logps) / len(row.logps))


@metric(
    "membership_auc_zlib",
    help=f"{ABOUT} (by probability against how far the text compresses)",
    groups=("forget",),
    paper=ZLIB,
)
def by_zlib(rows: list[Row], groups: Groups) -> Score:
    """AUC of the log-probability over the size of the text under zlib."""
    return auc(rows, groups, lambda row: sum(row.logps) / max(row.zlib, 1))


@metric(
    "membership_auc_min_k",
    help=f"{ABOUT} (by their least likely tokens)",
    groups=("forget",),
    paper=MIN_K,
)
def by_min_k(rows: list[Row], groups: Groups) -> Score:
    """AUC of the mean over the least likely fifth of the tokens."""
    return auc(rows, groups, lambda row: lowest(row.logps))


@metric(
    "membership_auc_min_k_plus_plus",
    help=f"{ABOUT} (by their least likely tokens, each against what was to be expected)",
    groups=("forget",),
    paper=MIN_K_PLUS,
)
def by_min_k_plus_plus(rows: list[Row], groups: Groups) -> Score:
    """AUC of the same, after each token's log p was standardised over the vocabulary."""
    return auc(rows, groups, lambda row: lowest(standardised(row)))


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


def auc(rows: list[Row], groups: Groups, score: Callable[[Row], float]) -> Score:
    """Probability that a forget answer scores above a holdout answer; ties count half.

    The interval is Hanley and McNeil's (Radiology 143, 1982).
    """
    from scipy.stats import rankdata

    known = [score(row) for row in answers(rows)]
    unknown = [score(row) for row in answers(groups.get("holdout", []))]
    if not unknown:
        return missing("no holdout set is given (texts like the forget set, never trained on)")
    m, n = len(known), len(unknown)
    ranks = rankdata([*known, *unknown])
    a = float((ranks[:m].sum() - m * (m + 1) / 2) / (m * n))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n)
    half = 1.96 * math.sqrt(max(variance, 0.0))
    return Score(a, m + n, max(a - half, 0.0), min(a + half, 1.0))
