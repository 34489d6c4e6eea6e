"""Membership attacks: their scores, the AUC and the start of the ROC curve."""

import math
import random
import statistics
from dataclasses import replace

import numpy
import pytest
from worlds import own, row, world

from unteach.metrics import METRICS, Case, roc, score_model
from unteach.metrics._values import attacked
from unteach.metrics.intervals import DRAWS
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
    case = Case(groups, original=world(9))
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
        assert found.value == value
        assert found.low is None, "no draw ends otherwise, so nothing is known of the spread"


def test_membership_needs_a_holdout_set():
    for name in ("membership_auc_loss", "membership_tpr_loss"):
        assert "no holdout set" in METRICS.get(name)("forget", {"forget": rows(-1.0)}).note


def test_the_reference_attack_needs_the_same_questions():
    """Nats gained since: 1 and -1 on forget, 0 on holdout; so one of two wins, and AUC is 1/2."""
    now = {"forget": rows(-1.0, -2.0), "holdout": rows(-3.0)}
    then = {"forget": rows(-2.0, -1.0), "holdout": rows(-3.0)}
    attack = METRICS.get("membership_auc_reference")
    assert attack("forget", Case(now, original=then)).value == 0.5
    assert attack("forget", Case(now, original=now)).value == 0.5
    assert "no original model" in attack("forget", now).note
    fewer = {**then, "forget": then["forget"][:1]}
    assert "not asked the same" in attack("forget", Case(now, original=fewer)).note


def test_a_broken_model_looks_forgotten_to_the_reference_attack():
    """Everything at -9 nats: what was known best lost most. A retrained model loses it too."""
    then = {"forget": [row("a", [-0.1]), row("b", [-0.2])], "holdout": [row("c", [-3.0])]}
    never = {"forget": [row("a", [-3.1]), row("b", [-2.9])], "holdout": [row("c", [-3.0])]}
    broken = {group: [replace(r, logp=-9.0) for r in rows] for group, rows in then.items()}
    for now in (broken, never):
        assert METRICS.get("membership_auc_reference")("forget", Case(now, then)).value == 0


def test_a_gradient_of_zero_is_a_gradient():
    groups = {"forget": rows(-1.0, gradient_norm=0.0), "holdout": rows(-1.0, gradient_norm=2.0)}
    assert METRICS.get("membership_auc_gradient_norm")("forget", groups).value == 1


def test_auc_agrees_with_scikit_learn():
    from sklearn.metrics import roc_auc_score

    members, others = ([mean(r) for r in own(world(5, 30), g)] for g in ("forget", "holdout"))
    found = auc(members, others)
    labels = [1] * len(members) + [0] * len(others)
    assert found.value == pytest.approx(roc_auc_score(labels, members + others), abs=1e-12)
    assert found.n == 60


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


def test_the_interval_of_a_tpr_is_a_bootstrap():
    """Drawn anew in plain Python, the middle 95% agrees."""
    rng = random.Random(0)
    members, others = ([rng.gauss(mu, 1) for _ in range(120)] for mu in (1.5, 0))
    drawn = sorted(
        slow_tpr_of(rng.choices(members, k=120), rng.choices(others, k=120)) for _ in range(2000)
    )
    found = tpr(members, others)
    assert found.low == pytest.approx(drawn[50], abs=0.05)
    assert found.high == pytest.approx(drawn[-50], abs=0.05)
    assert found.low < found.value < found.high
    assert tpr(members[::-1], others[::-1]) == found


def test_draws_in_blocks_are_those_of_one_by_one(monkeypatch):
    """The interval again, as a loop over the draws of each side in turn."""
    rng, draw = random.Random(5), numpy.random.default_rng(0).integers
    members, others = ([rng.gauss(mean, 1) for _ in range(n)] for mean, n in ((1, 30), (0, 120)))
    shares = []
    for _ in range(DRAWS):
        theirs = numpy.sort(numpy.sort(others)[draw(0, 120, 120)])
        mine = numpy.sort(members)[draw(0, 30, 30)]
        shares.append((mine > theirs[-2]).mean())
    for size in (roc.BLOCK, 7 * 150, 1):
        monkeypatch.setattr(roc, "BLOCK", size)
        found = tpr(members, others)
        assert (found.low, found.high) == tuple(numpy.quantile(shares, [0.025, 0.975]))


def test_a_tie_with_the_threshold_is_not_found_in_any_draw():
    """All members stand at the threshold but one of ten: at most a few of ten are ever above."""
    found = tpr([1.0] * 9 + [2.0], [1.0] * 50)
    assert found.value == 0.1
    assert found.low == 0
    assert found.high <= 0.4


def slow_tpr_of(members, others):
    bound = sorted(others)[-2]
    return sum(m > bound for m in members) / len(members)


def test_the_interval_of_an_auc_is_delongs():
    """By its definition: variances of each answer's share of won comparisons."""
    m, o = ([mean(r) for r in own(world(2, n=20), g)] for g in ("forget", "holdout"))
    won = [slow_auc([x], o) for x in m], [slow_auc(m, [y]) for y in o]
    variance = sum(statistics.variance(shares) / len(shares) for shares in won)
    found = auc(m, o)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(variance))


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
