"""Whether two sets of texts can be told apart with no model at all, by their letters alone."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from unteach.metrics.roc import auc
from unteach.types import Paper, Score

FOLDS = 5
FEWEST = 10  # texts of each set
MOST = 2000
APART = 0.6  # an AUC above this, and beyond chance, makes membership doubtful
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
    """AUC of a classifier on the texts alone: 0.5 where the sets are alike.

    A logistic regression on how often runs of two to four letters occur (TF-IDF), each text scored
    by one that was fitted to the other four fifths. Texts of one group are never in both parts.

    Args:
        members: texts of one set.
        others: texts of the other.
        member_groups: who each text is about.
        other_groups: likewise.

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
    if min(sum(labels), len(labels) - sum(labels)) < FEWEST or min(kinds) < FOLDS:
        return Score(None, note=f"not measurable: it takes {FEWEST} texts of each set")
    scores = _scores(texts, labels, groups)
    both = list(zip(scores, labels, strict=True))
    found = auc([s for s, own in both if own], [s for s, own in both if not own])
    return replace(found, note="")


def _names(texts: Sequence[str], groups: Sequence[str] | None, side: str) -> list[str]:
    return [f"{side}{g}" for g in (groups or range(len(texts)))]


def _drawn(start: int, end: int) -> list[int]:
    places = list(range(start, end))
    return places if len(places) <= MOST else Random(0).sample(places, MOST)


def _scores(texts: list[str], labels: list[int], groups: list[str]) -> list[float]:
    """Of each text by a classifier that saw neither it nor its group."""
    import numpy
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline

    found, y = numpy.zeros(len(texts)), numpy.array(labels)
    x = numpy.array(texts, dtype=object)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fit, held in folds.split(x, y, groups):
        letters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=20_000
        )
        model = make_pipeline(letters, LogisticRegression(C=10, class_weight="balanced"))
        model.fit(x[fit], y[fit])
        found[held] = model.decision_function(x[held])
    return found.tolist()
