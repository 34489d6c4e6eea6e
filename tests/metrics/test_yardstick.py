"""The yardstick holds what a forget set would score that was never seen, as often as it says."""

import math
import random

import pytest
from worlds import told

from unteach.metrics.intervals import mean_score
from unteach.metrics.yardstick import never_seen, predicted
from unteach.suites.rivals import beside_wrong

ANY = (-math.inf, math.inf)


def rows(count, rng, prefix):
    found = []
    for k in range(count):
        tokens = tuple(-rng.expovariate(1) * math.exp(rng.gauss(0, 0.5)) for _ in range(12))
        own = {"hits": tuple(x > -0.4 for x in tokens), "fact_given": rng.random() < 0.06}
        own |= {"rouge_l_recall": rng.betavariate(4, 2), "zlib": 20}
        found.append(told(id=f"{prefix}{k}", logps=tokens, **own))
        for index in range(2):
            wrong = (-rng.expovariate(1),)
            found.append(told(id=f"{prefix}{k}", kind="perturbed", index=index, logps=wrong))
    return beside_wrong(found)


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n"), [(40, 40), (50, 200)])
def test_about_95_in_100_new_sets_fall_inside(m, n):
    """Forget sets drawn like the holdout, 60 times; scored by the metrics themselves."""
    from unteach.metrics import METRICS

    rng = random.Random(m + n)
    names = ("probability", "extraction_strength", "exact_memorization", "perplexity",
             "rouge_l_recall", "fact_recall", "truth_ratio", "membership_auc_loss")  # fmt: skip
    held = dict.fromkeys(names, 0)
    for _ in range(60):
        groups = {"forget": rows(n, rng, "f"), "holdout": rows(m, rng, "h")}
        found = never_seen(groups)
        for name in names:
            value = METRICS.get(name)("forget", groups).value
            held[name] += found[name].low <= value <= found[name].high
    assert all(53 <= count <= 60 for count in held.values()), held


def test_a_known_forget_set_falls_outside():
    rng = random.Random(0)
    known = [told(id=f"f{k}", logps=(-0.02,) * 9, hits=(True,) * 9) for k in range(40)]
    found = never_seen({"forget": known, "holdout": rows(40, rng, "h")})
    assert found["probability"].high < 0.98
    assert found["extraction_strength"].high < 1
    assert found["perplexity"].low > math.exp(0.02)
    assert "rouge_l_recall" not in found  # of the forget rows: there is nothing to compare


def test_the_interval_is_what_theory_says():
    """For many normal values: mean +- 1.96 sd sqrt(1/m + 1/n)."""
    rng = random.Random(3)
    values = [rng.gauss(5, 2) for _ in range(400)]
    mean = sum(values) / 400
    sd = math.sqrt(sum((x - mean) ** 2 for x in values) / 399)
    half = 1.96 * sd * math.sqrt(1 / 400 + 1 / 50)
    pairs = [(x, 1.0) for x in values]
    found = predicted(pairs, 50, ANY)
    assert (found.value, found.n) == (pytest.approx(mean), 400)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.12)
    assert predicted(pairs, 10**9, ANY).high == pytest.approx(mean_score(values, within=ANY).high)


def test_sets_that_are_mostly_0_are_held():
    """Nine of ten values 0: bootstraps held 81 in 100 of 20 new ones."""
    rng, held = random.Random(5), 0

    def some():
        return [0.0 if rng.random() < 0.9 else rng.random() for _ in range(20)]

    for _ in range(200):
        found = predicted([(x, 1.0) for x in some()], 20)
        held += found.low <= sum(some()) / 20 <= found.high
    assert held >= 184 - 8, held


def test_the_original_is_asked_where_it_is_given():
    rng = random.Random(1)
    forget, holdout = rows(30, rng, "f"), rows(30, rng, "h")
    broken = [told(id=row.id, logps=(-20.0,)) for row in holdout]
    whole = never_seen({"forget": forget, "holdout": holdout})
    model = {"forget": forget, "holdout": broken}
    assert never_seen(model, original={"forget": [], "holdout": holdout}) == whole
    assert never_seen(model)["probability"].value < 1e-6


def test_order_changes_nothing():
    rng = random.Random(2)
    forget, holdout = rows(20, rng, "f"), rows(25, rng, "h")
    turned = {"holdout": holdout[::-1], "forget": forget[::-1]}
    assert never_seen({"forget": forget, "holdout": holdout}) == never_seen(turned)


def test_without_a_holdout_each_says_so():
    found = never_seen({"forget": rows(5, random.Random(0), "f")})
    assert {"probability", "fact_recall", "membership_auc_loss"} <= found.keys()
    for score in found.values():
        assert score.value is None
        assert "no holdout set is given" in score.note
    unasked = {"forget": rows(5, random.Random(0), "f"), "holdout": [told(id="h", logps=(-1.0,))]}
    assert never_seen(unasked)["rouge_l_recall"].note.endswith("the holdout rows do not have it")


def test_what_is_alike_has_ends_only_where_the_range_has():
    alike = [told(id=f"h{k}", logps=(-1.0,), fact_given=False) for k in range(40)]
    found = never_seen({"forget": alike, "holdout": alike})
    assert 0 < found["probability"].low < math.exp(-1) < found["probability"].high < 0.5
    assert 1 < found["perplexity"].low < math.e
    assert found["perplexity"].high is None  # the next might be any greater
    # a share has ends all the same: 0 of 40 may be 1 or 2 of the next 40
    assert found["fact_recall"].low == 0
    assert 0.02 < found["fact_recall"].high < 0.12
