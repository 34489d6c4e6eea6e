"""Test whether two sets of texts can be told apart by their letters alone, without the model."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from unteach.metrics.clustered import clustered_auc
from unteach.metrics.roc import auc
from unteach.types import Paper, Score

FOLDS = 5  # at most; with fewer persons on a side, as many as these
FEWEST = 10  # minimum number of texts of each set
MOST = 2000  # maximum number of texts of each set; larger sets are sampled
APART = 0.6  # a significant AUC above this makes membership results doubtful
BLIND = Paper(
    title="Blind Baselines Beat Membership Inference Attacks for Foundation Models",
    authors="Debeshee Das and Jie Zhang and Florian Tramèr",
    year=2024,
    arxiv="2406.16201",
    where="bag-of-words classifiers in the place of the attacked model",
)


def blind_auc(
    members: Sequence[str],
    others: Sequence[str],
    *,
    member_groups: Sequence[str] | None = None,
    other_groups: Sequence[str] | None = None,
) -> Score:
    """AUC of a classifier on the texts alone: 0.5 if the sets are alike.

    A logistic regression on character n-grams of two to four letters (TF-IDF), with 5-fold
    cross-validation (fewer folds if a set has fewer groups). Texts of one group are always in the
    same fold, and the interval is over groups where they are given.

    Args:
        members: texts of one set.
        others: texts of the other set.
        member_groups: whom each member is about.
        other_groups: whom each of the others is about.

    Example:
        >>> one = [f"a red fox {k}" for k in range(10)]
        >>> other = [f"zwei Igel {k}" for k in range(10)]
        >>> blind_auc(one, other).value
        1.0
        >>> blind_auc(one[:3], other).note
        'not measurable: it takes 10 texts of each set'
    """
    groups = [*_names(members, member_groups, "m"), *_names(others, other_groups, "o")]
    texts, labels = [*members, *others], [1] * len(members) + [0] * len(others)
    chosen = sorted([*_drawn(0, len(members)), *_drawn(len(members), len(texts))])
    texts, groups = [texts[k] for k in chosen], [groups[k] for k in chosen]
    labels = [labels[k] for k in chosen]
    kinds = [len({g for g, own in zip(groups, labels, strict=True) if own == k}) for k in (0, 1)]
    if min(sum(labels), len(labels) - sum(labels)) < FEWEST:
        return Score(None, note=f"not measurable: it takes {FEWEST} texts of each set")
    if min(kinds) < 2:
        return Score(None, note="not measurable: all texts of a set are about one person")
    scores = _scores(texts, labels, groups, min(FOLDS, *kinds))
    sides: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    for score, own, group in zip(scores, labels, groups, strict=True):
        sides[own].setdefault(group, []).append(score)
    if member_groups or other_groups:
        return replace(clustered_auc(sides[1], sides[0]), note="")
    return replace(auc(*([x for (x,) in side.values()] for side in reversed(sides))), note="")


def _names(texts: Sequence[str], groups: Sequence[str] | None, side: str) -> list[str]:
    return [f"{side}{g}" for g in (groups or range(len(texts)))]


def _drawn(start: int, end: int) -> list[int]:
    places = list(range(start, end))
    return places if len(places) <= MOST else Random(0).sample(places, MOST)


def _scores(texts: list[str], labels: list[int], groups: list[str], count: int) -> list[float]:
    """Score of each text, from a classifier that saw neither the text nor its group."""
    import numpy
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline

    found, y = numpy.zeros(len(texts)), numpy.array(labels)
    x = numpy.array(texts, dtype=object)
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    for fit, held in folds.split(x, y, groups):
        letters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=20_000
        )
        model = make_pipeline(letters, LogisticRegression(C=10, class_weight="balanced"))
        model.fit(x[fit], y[fit])
        found[held] = model.decision_function(x[held])
    return found.tolist()
