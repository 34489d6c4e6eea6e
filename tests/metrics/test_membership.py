"""Membership attacks: their scores, the AUC and the start of the ROC curve."""

import math
import random
import statistics
from dataclasses import replace

import numpy
import pytest
from scipy.stats import t
from worlds import own, row, world

from unteach.metrics import METRICS, ModelCase, score_model
from unteach.metrics._values import attacked
from unteach.metrics.roc import auc, tpr


def slow_auc(members, others):
    wins = [(m > o) + 0.5 * (m == o) for m in members for o in others]
    return sum(wins) / len(wins)


def slow_tpr(members, others):
    """The best TPR of all thresholds that at most 1% of the others reach."""
    at = [*members, *others, math.inf]
    allowed = [t for t in at if 100 * sum(o >= t for o in others) <= len(others)]
    return max(sum(m >= t for m in members) / len(members) for t in allowed)


def min_k(values, share=0.2):
    count = max(int(share * len(values)), 1)
    return sum(sorted(values)[:count]) / count


def mean(row):
    return sum(row.scores.logps) / len(row.scores.logps)


def standard(scores):
    parts = zip(scores.logps, scores.means, scores.spreads, strict=True)
    return [(x - m) / s for x, m, s in parts]


BEFORE = {r.id: r for rows in world(9).values() for r in rows if r.kind == "answer"}
SCORES = {
    "loss": mean,
    "zlib": lambda r: mean(r) / r.zlib,
    "min_k": lambda r: min_k(r.scores.logps),
    "min_k_plus_plus": lambda r: min_k(standard(r.scores)),
    "reference": lambda r: mean(r) - mean(BEFORE[r.id]),
    "gradient_norm": lambda r: -r.gradient_norm,
}


@pytest.mark.parametrize("name", SCORES)
def test_attacks(name):
    groups, score = world(), SCORES[name]
    members, others = ([score(r) for r in own(groups, g)] for g in ("forget", "holdout"))
    case = ModelCase(groups, original=world(9))
    area = METRICS.get(f"membership_auc_{name}")("forget", case)
    assert area.value == pytest.approx(slow_auc(members, others))
    assert 0 <= area.low <= area.value <= area.high <= 1
    start = METRICS.get(f"membership_tpr_{name}")("forget", case)
    assert start.value == pytest.approx(slow_tpr(members, others))
    assert not {area, start} & set(score_model(groups)["retain"].values())


def test_closeness_reads_the_same_attacks():
    found = attacked(world()["forget"])
    assert found.keys() == {"loss", "zlib", "min_k", "min_k_plus_plus"}
    for name, scores in found.items():
        expected = {r.id: SCORES[name](r) for r in own(world())}
        assert scores == pytest.approx(expected)


def test_every_attack_is_tested():
    names = {name.removeprefix("membership_auc_") for name in METRICS if "membership_auc" in name}
    assert {name for name in names if not name.startswith("open_unlearning")} == SCORES.keys()


def rows(*logps, **more):
    return [row(f"x-{k}", [logp], **more) for k, logp in enumerate(logps)]


@pytest.mark.parametrize(
    ("forget", "holdout", "area", "start"),
    [
        ((-0.1,) * 5, (-3.0,) * 5, 1, 1),
        ((-3.0,) * 5, (-0.1,) * 5, 0, 0),
        ((-1.0,) * 5, (-1.0,) * 5, 0.5, 0),
        ((-1.0,), (-1.0,), 0.5, 0),
    ],
)
def test_membership_at_its_limits(forget, holdout, area, start):
    groups = {"forget": rows(*forget), "holdout": rows(*holdout)}
    for name, value in (("auc", area), ("tpr", start)):
        found = METRICS.get(f"membership_{name}_loss")("forget", groups)
        assert (found.value, found.n) == (value, len(forget) + len(holdout))
        known = found.low is not None  # not of one example on a side
        assert not known or found.low <= value <= found.high
        assert not known or found.low < found.high, "alike scores say little of the spread"


def test_membership_needs_a_holdout_set():
    for name in ("membership_auc_loss", "membership_tpr_loss"):
        assert "no holdout set" in METRICS.get(name)("forget", {"forget": rows(-1.0)}).note


def test_the_reference_attack_needs_the_same_questions():
    """Nats gained since: 1 and -1 on forget, 0 on holdout; so one of two wins, and AUC is 1/2."""
    now = {"forget": rows(-1.0, -2.0), "holdout": rows(-3.0)}
    then = {"forget": rows(-2.0, -1.0), "holdout": rows(-3.0)}
    attack = METRICS.get("membership_auc_reference")
    assert attack("forget", ModelCase(now, original=then)).value == 0.5
    assert attack("forget", ModelCase(now, original=now)).value == 0.5
    assert "no original model" in attack("forget", now).note
    fewer = {**then, "forget": then["forget"][:1]}
    assert "not asked the same" in attack("forget", ModelCase(now, original=fewer)).note


def test_a_broken_model_looks_forgotten_to_the_reference_attack():
    """Everything at -9 nats: what was known best lost most. A retrained model loses it too."""
    then = {"forget": [row("a", [-0.1]), row("b", [-0.2])], "holdout": [row("c", [-3.0])]}
    never = {"forget": [row("a", [-3.1]), row("b", [-2.9])], "holdout": [row("c", [-3.0])]}
    broken = {group: [replace(r, logp=-9.0) for r in rows] for group, rows in then.items()}
    for now in (broken, never):
        assert METRICS.get("membership_auc_reference")("forget", ModelCase(now, then)).value == 0


def test_a_gradient_of_zero_is_a_gradient():
    groups = {"forget": rows(-1.0, gradient_norm=0.0), "holdout": rows(-1.0, gradient_norm=2.0)}
    assert METRICS.get("membership_auc_gradient_norm")("forget", groups).value == 1


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 3, 99, 100, 101, 250, 400])
def test_tpr_agrees_with_scikit_learn(n, ties):
    from sklearn.metrics import roc_curve

    rng = random.Random(n)
    members = [rng.gauss(1.5, 1) for _ in range(60)]
    others = [rng.gauss(0, 1) for _ in range(n)]
    if ties:
        members, others = ([round(x) for x in values] for values in (members, others))
    labels = [1] * len(members) + [0] * n
    false, true, _ = roc_curve(labels, members + others, drop_intermediate=False)
    found = tpr(members, others)
    assert found.value == pytest.approx(true[false <= 0.01].max(), abs=1e-12)
    assert found.value == pytest.approx(slow_tpr(members, others), abs=1e-12)
    assert ("above all" in found.note) == (n < 100)


def test_one_false_alarm_is_allowed_from_100_on():
    """Above all of 99 others is no member; above the second of 100 are half of them."""
    members = [5.0] * 10 + [0.0] * 10
    assert tpr(members, [9.0] + [1.0] * 98).value == 0
    assert tpr(members, [9.0] + [1.0] * 99).value == 0.5


TIMES = 300
LEAST = 0.92 - 2 * math.sqrt(0.92 * 0.08 / TIMES)  # what is asked, less two standard errors


def drawn(rng, area, m, n, *, steps=0):
    """Normal scores with that AUC, of two groups; in steps of that size."""
    shift = math.sqrt(2) * statistics.NormalDist().inv_cdf(area)
    x, y = rng.normal(size=m) + shift, rng.normal(size=n)
    return [(numpy.floor(v / steps) if steps else v).tolist() for v in (x, y)]


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n"), [(20, 20), (20, 400), (400, 20), (100, 100)])
@pytest.mark.parametrize("area", [0.5, 0.95, 0.99])
def test_areas_are_held_at_least_92_times_in_100(area, m, n):
    """Mirrored, too: 1 less the area."""
    rng, held, other, width = numpy.random.default_rng(0), 0, 0, 0.0
    for _ in range(TIMES):
        x, y = drawn(rng, area, m, n)
        found, retrained_alone = auc(x, y), auc(y, x)
        held += found.low <= area <= found.high
        other += retrained_alone.low <= 1 - area <= retrained_alone.high
        width += (found.high - found.low) / TIMES
    assert min(held, other) / TIMES >= LEAST
    assert width < 6 * math.sqrt(area * (1 - area) / min(m, n))


def test_areas_of_tied_scores_are_held():
    """Scores 0 and 1, with 0.8 and 0.3 of them 1: 0.8 x 0.7 + (0.8 x 0.3 + 0.2 x 0.7) / 2 = 0.75"""
    rng, held = numpy.random.default_rng(1), 0
    for _ in range(TIMES):
        x, y = (rng.random(20) < 0.8).tolist(), (rng.random(20) < 0.3).tolist()
        found = auc(x, y)
        held += found.low <= 0.75 <= found.high
    assert held / TIMES >= LEAST


def test_areas_of_groups_that_scatter_otherwise_are_held():
    """Members scatter 2.5 times as much as the others, and are few: DeLong's variance counts."""
    rng, held = numpy.random.default_rng(2), 0
    for _ in range(TIMES):
        x = (2.5 * rng.normal(size=20)).tolist()
        found = auc(x, rng.normal(size=400).tolist())
        held += found.low <= 0.5 <= found.high
    assert held / TIMES >= LEAST


def test_the_interval_of_an_auc_is_newcombes_or_delongs():
    """Every end solves (u - value)^2 = z^2 variance of u, with the greater of the two variances."""
    m, o = ([mean(r) for r in own(world(2, n=20), g)] for g in ("forget", "holdout"))
    won = [slow_auc([x], o) for x in m], [slow_auc(m, [y]) for y in o]
    parts = [statistics.variance(shares) / len(shares) for shares in won]
    freedom = sum(parts) ** 2 / sum(part**2 / 19 for part in parts)
    found = auc(m, o)
    for u in (found.low, found.high):
        exponential = u * (1 - u) * (1 + 19 * ((1 - u) / (2 - u) + u / (1 + u))) / 400
        seen = sum(parts) * u * (1 - u) / (found.value * (1 - found.value))
        squares = (t.ppf(0.975, 19) ** 2 * exponential, t.ppf(0.975, freedom) ** 2 * seen)
        assert (u - found.value) ** 2 == pytest.approx(max(squares), rel=1e-5)


def test_an_auc_of_1_has_a_lower_end():
    """(1 - u)^2 = t^2 variance at u alone: of 20 and 20 (t = 2.093), 0.8849."""
    found = auc([1.0] * 20, [0.0] * 20)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.8849, abs=1e-4)
    assert auc([0.0] * 20, [1.0] * 20).high == pytest.approx(1 - found.low)
    alike = auc([1.0] * 20, [1.0] * 20)
    assert alike.low == pytest.approx(1 - alike.high)
    assert 0.3 < alike.low < 0.35
    assert auc([1.0], [0.0, 0.0]).low is None, "one member tells nothing"


def test_order_and_side_change_no_interval():
    x, y = drawn(numpy.random.default_rng(3), 0.8, 30, 50, steps=0.5)
    for score in (auc, tpr):
        assert score(x[::-1], y[::-1]) == score(x, y)
    found = auc(x, y)
    for other in (auc(y, x), auc([-v for v in x], [-v for v in y])):
        ends = (1 - other.high, 1 - other.low)
        assert ends == pytest.approx((found.low, found.high), abs=1e-8)


@pytest.mark.parametrize(("m", "n"), [(20, 20), (400, 100), (20, 400), (400, 400)])
@pytest.mark.parametrize("area", [0.5, 0.95])
def test_the_true_tpr_is_held(area, m, n):
    """The threshold is that of all others: 2.326, not that of the sample."""
    rng, held = numpy.random.default_rng(4), 0
    normal = statistics.NormalDist()
    truth = 1 - normal.cdf(normal.inv_cdf(0.99) - math.sqrt(2) * normal.inv_cdf(area))
    for _ in range(TIMES):
        found = tpr(*drawn(rng, area, m, n))
        held += found.low <= truth <= found.high
    assert held / TIMES >= LEAST


def test_the_true_tpr_of_tied_scores_is_held():
    """Others are 0, 1 or 2, with 2 in 200: at most 1% are above 1, as are half of the members."""
    rng, held = numpy.random.default_rng(5), 0
    for _ in range(TIMES):
        others = rng.choice(3, 400, p=[0.5, 0.495, 0.005]).astype(float).tolist()
        found = tpr(rng.choice([0.0, 2.0], 40).tolist(), others)
        held += found.low <= 0.5 <= found.high
    assert held / TIMES >= LEAST


def test_the_interval_of_a_tpr_is_a_mixture_of_betas():
    """By chance k of the 400 others lie above the threshold; drawn in plain Python."""
    rng = random.Random(0)
    members, others = [rng.gauss(1.5, 1) for _ in range(60)], [rng.gauss(0, 1) for _ in range(400)]
    down, low, high = sorted(others, reverse=True), [], []
    counts = numpy.random.default_rng(0)
    for _ in range(20_000):
        k = int(counts.binomial(400, 0.01))
        least = sum(m > down[k - 1] for m in members) if k else 0
        most = sum(m > down[k] for m in members)
        low.append(rng.betavariate(least, 61 - least) if least else 0.0)
        high.append(rng.betavariate(most + 1, 60 - most) if most < 60 else 1.0)
    found = tpr(members, others)
    assert found.low == pytest.approx(sorted(low)[500], abs=0.02)
    assert found.high == pytest.approx(sorted(high)[-500], abs=0.02)
    assert found.low < found.value < found.high


def test_too_few_others_are_said():
    """All of n lie below the 1% point 0.99^n of the time: 2.5% of it at 367 and a bit."""
    for n in (20, 150, 367):
        found = tpr([9.0] * 200, [1.0] * n)
        assert found.low == 0
        assert f"{n} holdout texts are too few to tell" in found.note
    enough = tpr([9.0] * 200, [1.0] * 368)
    assert enough.low > 0
    assert enough.note == ""
    assert 0.99**368 < 0.025 < 0.99**367


def test_nan_is_no_score():
    groups = {"forget": rows(math.nan), "holdout": rows(-1.0)}
    for name in ("auc", "tpr"):
        found = METRICS.get(f"membership_{name}_loss")("forget", groups)
        assert found.note == "not measurable: the value is nan"


def test_no_spread_decides_nothing():
    """Where the model is sure of another token, the standard deviation is taken as 1e-6."""
    sure = row("a", [-5.0] * 4, means=(0.0,) * 4, spreads=(0.0,) * 4)
    groups = {"forget": [sure], "holdout": rows(-1.0)}
    assert METRICS.get("membership_auc_min_k_plus_plus")("forget", groups).value == 0
