"""Intervals hold the truth about as often as they say, also where nearly all values are 0 or 1."""

import math
import random

import numpy
import pytest
from scipy.stats import beta, binomtest, gamma

from unteach.metrics.intervals import (
    UNSEEN,
    mean_score,
    outermost,
    perplexity_score,
    share_score,
)

ANY = (-math.inf, math.inf)
TIMES = 300
LEAST = 0.92 - 2 * math.sqrt(0.92 * 0.08 / TIMES)  # what is asked, less two standard errors


def zeros(share, draw=numpy.random.Generator.random):
    """Values of which so large a share is exactly 0."""
    return lambda rng, n: numpy.where(rng.random(n) < share, 0.0, draw(rng, size=n))


def u_shaped(rng, size):
    return rng.beta(0.5, 0.5, size)


CELLS = {
    "even": (zeros(0), 0.5, 20),
    "19 of 20 are 0": (zeros(0.95), 0.025, 20),
    "9 of 10 are 0, the rest near 0 and 1": (zeros(0.9, u_shaped), 0.05, 20),
    "9 of 10 are 0, 40 examples": (zeros(0.9), 0.05, 40),
    "0 or 1": (lambda rng, n: (rng.random(n) < 0.05) * 1.0, 0.05, 20),
    "skewed": (lambda rng, n: numpy.exp(-10 * rng.exponential(size=n)), 1 / 11, 20),
    "narrow": (lambda rng, n: rng.beta(50, 50, n), 0.5, 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_means_are_held_at_least_92_times_in_100(name, mirrored):
    draw, truth, n = CELLS[name]
    rng, held, width = numpy.random.default_rng(0), 0, 0.0
    for _ in range(TIMES):
        x = draw(rng, n)
        found = mean_score((1 - x if mirrored else x).tolist())
        held += found.low <= (1 - truth if mirrored else truth) <= found.high
        width += (found.high - found.low) / TIMES
    assert held / TIMES >= LEAST
    most = 1.5 * 2 * 2.09 * 0.05 / math.sqrt(20) if name == "narrow" else 0.35
    assert width < most, "an interval that holds by being wide says nothing"


def tokens(rng, x):
    return rng.integers(5, 60, len(x)).astype(float)


def more_for_greater(_, x):
    return numpy.clip(numpy.round(20 * x), 5.0, 60.0)


BY_TOKEN = {  # values, how much each counts, the mean of four million, at most so wide (median)
    "exponential": (zeros(0, numpy.random.Generator.exponential), tokens, 1.0, 2.5),
    "exponential, long where great": (
        zeros(0, numpy.random.Generator.exponential), more_for_greater, 1.789, 5.0
    ),
    "9 in 10 zero": (zeros(0.9, numpy.random.Generator.exponential), tokens, 0.1, 5.0),
    "9 in 10 zero, long where great": (
        zeros(0.9, numpy.random.Generator.exponential), more_for_greater, 0.597, 12.0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_TOKEN)
def test_means_by_token_are_held(name):
    """Nats per token, without an upper end; 20 zeros in 100 samples have no interval with both."""
    draw, weigh, truth, most = BY_TOKEN[name]
    rng, held, widths = numpy.random.default_rng(1), 0, []
    for _ in range(TIMES):
        x = draw(rng, 20)
        w = weigh(rng, x)
        found = mean_score(x.tolist(), w.tolist(), (0.0, math.inf))
        assert (found.high is None) == (not x.any()) == bool(found.note)
        held += found.low <= truth <= (math.inf if found.high is None else found.high)
        widths += [] if found.high is None else [found.high - found.low]
    assert held / TIMES >= LEAST
    assert numpy.median(widths) < most, "an interval that holds by being wide says nothing"


def test_clusters_are_examples_that_count_as_their_size():
    """Of 20 clusters, the greater ones have more members; as many single answers hold 1 in 2."""
    rng, held, alone = numpy.random.default_rng(1), 0, 0
    grid = beta.ppf((numpy.arange(20_000) + 0.5) / 20_000, 0.5, 0.5)
    truth = numpy.average(grid, weights=1 + numpy.floor(20 * grid))
    for _ in range(TIMES):
        p = rng.beta(0.5, 0.5, 20)
        size = 1 + numpy.floor(20 * p)
        ones = rng.binomial(size.astype(int), p)
        found = mean_score((ones / size).tolist(), size.tolist())
        held += found.low <= truth <= found.high
        each = share_score([True] * int(ones.sum()) + [False] * int(size.sum() - ones.sum()))
        alone += each.low <= truth <= each.high
    assert held / TIMES >= LEAST > 0.8 > alone / TIMES


def test_perplexity_is_the_exponential():
    rng = numpy.random.default_rng(1)
    x, w = rng.exponential(size=20).tolist(), rng.integers(5, 60, 20).tolist()
    nll, ppl = mean_score(x, w, (0.0, math.inf)), perplexity_score(x, w)
    assert (ppl.low, ppl.high) == (pytest.approx(math.exp(nll.low)), math.exp(nll.high))
    alike = perplexity_score([0.0] * 20, w)
    assert (alike.value, alike.low, alike.high) == (1.0, 1.0, None)
    assert "no upper end" in alike.note


@pytest.mark.parametrize("p", [0.0088, 0.05, 0.5])
def test_shares_are_held(p):
    """At 0.0088 Wilson's interval held 84 in 100 of 20: exactly, over all counts."""
    n = 20
    held = sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k)
        for k in range(n + 1)
        if (s := share_score([True] * k + [False] * (n - k))).low <= p <= s.high
    )
    assert held >= 0.95


def test_shares_are_clopper_and_pearsons():
    for true, n in ((0, 40), (3, 10), (10, 10)):
        found = share_score([True] * true + [False] * (n - true))
        ends = binomtest(true, n).proportion_ci()
        assert (found.value, found.n) == (true / n, n)
        assert (found.low, found.high) == (pytest.approx(ends.low), pytest.approx(ends.high))


@pytest.mark.parametrize("n", [2, 5, 20, 400, 5000])
def test_of_zeros_and_ones_the_ends_are_a_beta_distributions(n):
    """Exponentials that count k of the n, and the unseen one, over all: beta(k + 3/4, n - k)."""
    for ones in sorted({0, 1, n // 2, n - 1}):
        found = mean_score([1.0] * ones + [0.0] * (n - ones))
        assert found.high == pytest.approx(beta.ppf(0.975, ones + UNSEEN, n - ones), rel=0.011)
        assert found.n == n


def test_the_ends_are_those_of_draws():
    """Exponential counts drawn, beside an unseen example at either end, weights and all."""
    rng = numpy.random.default_rng(2)
    x, w = numpy.sort(rng.random(30)), rng.integers(1, 40, 30).astype(float)
    found = mean_score(x.tolist(), w.tolist())
    counts = numpy.column_stack(
        [rng.exponential(size=(100_000, 30)), gamma.rvs(0.75, size=100_000, random_state=rng)]
    )
    for side, share in ((1, 0.975), (-1, 0.025)):
        order = numpy.argsort(side * x)
        most = 1.0 if side > 0 else 0.0
        far = side * outermost(side * x[order], most, w[order] / w.mean())
        extreme = w[(side * x).argmax()]
        values, weights = numpy.append(x, far), numpy.append(w, max(extreme, w.mean()))
        drawn = (counts * weights) @ values / (counts @ weights)
        end = found.high if side > 0 else found.low
        assert end == pytest.approx(numpy.quantile(drawn, share), abs=0.003)


def test_the_unseen_one_by_hand():
    """Of 0, 0, 0, 0.2: the median is 0, r = 4 x 0.04 / 0.04 = 4, so 0.2 + 8 x 0.2, at most 1.

    Of 1, 2, 3: distances 1, 0, 1, so r = 3 x 2 / 4 = 1.5, and 3 + 1.5^1.5 x 1.
    """
    assert outermost(numpy.array([0.0, 0.0, 0.0, 0.2]), 5.0) == pytest.approx(1.8)
    assert outermost(numpy.array([0.0, 0.0, 0.0, 0.2]), 1.0) == 1
    assert outermost(numpy.array([1.0, 2.0, 3.0]), math.inf) == pytest.approx(3 + 1.5**1.5)
    rare = numpy.array([0.0] * 19 + [1.0])
    assert outermost(rare, 1000.0) == pytest.approx(1 + 20**1.5)
    assert outermost(rare, math.inf) == 26, "no more gaps than 25 where nothing bounds it"
    assert outermost(numpy.array([0.5, 0.5]), 1.0) == 1
    assert outermost(numpy.array([0.5, 0.5]), math.inf) == math.inf
    assert outermost(numpy.array([2.0]), 1.0) == 2, "a value past the range is not cut off"


def test_weights_are_repetitions_of_the_value_alone():
    values, weights = [1.0, 2.0, 4.0], [1.0, 3.0, 4.0]
    found = mean_score(values, weights, (0.0, math.inf))
    assert found.value == pytest.approx(23 / 8)
    assert found == mean_score(values, [10 * w for w in weights], (0.0, math.inf))
    repeated = mean_score([1.0, 2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0], within=(0.0, math.inf))
    assert repeated.value == pytest.approx(found.value)
    assert found.low < repeated.low, "three examples tell less than eight"


def test_order_changes_nothing():
    rng = random.Random(3)
    pairs = [(round(rng.random(), 1), float(rng.randint(1, 9))) for _ in range(60)]
    found = mean_score(*map(list, zip(*pairs, strict=True)))
    rng.shuffle(pairs)
    assert mean_score(*map(list, zip(*pairs, strict=True))) == found


def test_one_less_the_values_mirrors_the_interval():
    for values in ([0.0] * 9 + [0.25], [0.1, 0.2, 0.7], [1.0], [0.3] * 5):
        ours, theirs = mean_score(values), mean_score([1 - x for x in values])
        assert (theirs.low, theirs.high) == pytest.approx((1 - ours.high, 1 - ours.low), abs=1e-7)


def test_the_scale_changes_nothing():
    values = [0.1, 0.2, 0.7, 0.75]
    ours = mean_score(values, within=ANY)
    for scale in (1e-6, 1e6):
        theirs = mean_score([scale * x for x in values], within=ANY)
        assert theirs.high == pytest.approx(scale * ours.high, rel=1e-6)
        assert theirs.low == pytest.approx(scale * ours.low, rel=1e-6)


def test_many_examples_have_the_limit():
    """Mean +- 1.96 sd / sqrt(n)."""
    rng = numpy.random.default_rng(4)
    x = rng.random(20_000)
    found, half = mean_score(x.tolist()), 1.96 * x.std() / math.sqrt(20_000)
    assert found.low == pytest.approx(x.mean() - half, abs=half / 20)
    assert found.high == pytest.approx(x.mean() + half, abs=half / 20)


def test_alike_values_have_ends_where_the_range_has():
    """Of n alike at x, 3/4 of one at 1: 1 - (1 - x) b with b beta(n, 3/4), up to 1%."""
    found = mean_score([0.3] * 9)
    assert 1 - found.high == pytest.approx(0.7 * beta.ppf(0.025, 9, UNSEEN), rel=0.02)
    assert found.low == pytest.approx(0.3 * beta.ppf(0.025, 9, UNSEEN), rel=0.02)
    one = mean_score([0.3])
    assert one.low < 0.02
    assert one.high > 0.95, "one value tells nearly nothing"
    nearly = mean_score([0.3] * 8 + [0.1 + 0.2])  # not 0.3 to the last digit
    assert nearly.high == pytest.approx(found.high, abs=1e-6)
    assert mean_score([1.0] * 40).low == pytest.approx(1 - mean_score([0.0] * 40).high)
    assert mean_score([0.0] * 40, within=(0.0, math.inf)).high is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_number_has_no_interval(bad):
    found = mean_score([bad, 0.5])
    assert not math.isfinite(found.value)
    assert (found.low, found.high) == (None, None)


def test_extremes_are_no_trouble():
    for values in ([1e-300, 0.0, 0.0], [1 - 1e-16, 1.0, 1.0], [0.5, 0.5 + 1e-12], [1e-12, 1.0]):
        found = mean_score(values)
        assert 0 <= found.low <= found.value <= found.high <= 1
    wide = mean_score([1.0, 2.0, 900.0], [3.0, 4.0, 5.0], (0.0, math.inf))
    assert 0 <= wide.low < wide.value < wide.high < math.inf
