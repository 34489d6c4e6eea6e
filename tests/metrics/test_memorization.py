"""By heart: which tokens are the first choice, and from where on all are."""

import pytest
from worlds import row

from unteach.metrics import METRICS


def of(name, **more):
    groups = {"forget": [row("a", [-1.0] * len(next(iter(more.values()))), **more)]}
    return METRICS.get(name)("forget", groups).value


@pytest.mark.parametrize(
    ("hits", "exact", "strength"),
    [
        ((True, True, True), 1.0, 1.0),
        ((False, False), 0.0, 0.0),
        ((True, False), 0.5, 0.0),
        ((False, True, False, True), 0.5, 0.25),
        ((True, True, False, True, True), 0.8, 0.4),
    ],
)
def test_memorization(hits, exact, strength):
    """Hits over tokens; and 1 - k/n for the least k from which on every token is a hit."""
    assert of("exact_memorization", hits=hits) == pytest.approx(exact)
    assert of("extraction_strength", hits=hits) == pytest.approx(strength)
    k = next(k for k in range(len(hits) + 1) if all(hits[k:]))
    assert strength == pytest.approx(1 - k / len(hits))


@pytest.mark.parametrize(
    ("ranks", "value"),
    [((0, 0), 1.0), ((1,), 0.5), ((0, 1, 3), (1 + 1 / 2 + 1 / 4) / 3), ((99_999,), 1e-5)],
)
def test_reciprocal_ranks(ranks, value):
    assert of("reciprocal_rank", ranks=ranks) == pytest.approx(value)


def test_answers_count_alike_whatever_their_length():
    """One of one, none of three: the mean of the answers is 1/2, of the tokens 1/4."""
    rows = [row("a", [-1.0], hits=(True,)), row("b", [-1.0] * 3)]
    assert METRICS.get("exact_memorization")("forget", {"forget": rows}).value == 0.5
