"""OpenUnlearning's variants, each against its definition in plain Python."""

import math

import pytest
from metrics.test_membership import slow_auc as auc
from worlds import own, row, world

from unteach.metrics import METRICS, compare
from unteach.suites.rivals import beside_wrong

PREFIX = "open_unlearning_"


def of(name, groups, group="forget"):
    return METRICS.get(PREFIX + name)(group, groups)


@pytest.mark.parametrize(
    ("hits", "exact", "strength"),
    [
        ((True, True, True, False), 1.0, 1.0),  # the last label is not looked at
        ((False, False, True), 0.0, 0.5),  # nothing extracted of two: 1/2
        ((True, False, True), 0.5, 0.5),
        ((False, True, True, True, False), 0.75, 0.75),
        ((True, True, False, True, False), 0.75, 0.25),
        ((True,), None, 0.0),
    ],
)
def test_memorization(hits, exact, strength):
    """Of the n tokens before the last: hits / n, and 1 - k/n for the least k below n, or n - 1."""
    groups = {"forget": [row("a", [-1.0] * len(hits), hits=hits)]}
    assert of("exact_memorization", groups).value == exact
    assert of("extraction_strength", groups).value == pytest.approx(strength)
    seen = hits[:-1]
    if seen:
        k = next((k for k in range(len(seen)) if all(seen[k:])), len(seen) - 1)
        assert strength == pytest.approx(1 - k / len(seen))


def test_answers_of_one_token_are_left_out_of_exact_memorization_alone():
    """(1 + nothing) / 1 there, (1 + 0) / 2 here."""
    rows = [row("a", [-1.0] * 2, hits=(True, True)), row("b", [-1.0], hits=(True,))]
    assert of("exact_memorization", {"forget": rows}).value == 1
    assert of("extraction_strength", {"forget": rows}).value == 0.5


def least(values):
    count = max(int(0.4 * len(values)), 1)
    return sum(sorted(values)[:count]) / count if values else 0.0


def standard(scores):
    parts = zip(scores.logps, scores.means, scores.spreads, strict=True)
    return [(x - m) / s for x, m, s in parts]


SCORES = {
    "min_k": lambda r: least(r.scores.logps[:-1]),
    "min_k_plus_plus": lambda r: least(standard(r.scores)[:-1]),
}


@pytest.mark.parametrize("name", SCORES)
def test_membership(name):
    groups = world(3, 20)
    members, others = ([SCORES[name](r) for r in own(groups, g)] for g in ("forget", "holdout"))
    found = of(f"membership_auc_{name}", groups)
    assert found.value == pytest.approx(auc(members, others))
    assert found.value != METRICS.get(f"membership_auc_{name}")("forget", groups).value


def test_a_token_alone_scores_nothing():
    groups = {"forget": [row("a", [-9.0])], "holdout": [row("b", [-1.0])]}
    assert of("membership_auc_min_k", groups).value == 0.5


def test_the_least_standard_deviation_is_a_thousandth():
    """5 / 0.001 = 5000 below what was expected, not 5 / 0.000001."""
    far = row("a", [-5.0, 0.0], means=(0.0, 0.0), spreads=(0.0, 1.0))
    near = row("b", [-1.0, 0.0], means=(5999.0, 0.0), spreads=(1.0, 1.0))  # 6000 below
    groups = {"forget": [far], "holdout": [near]}
    assert of("membership_auc_min_k_plus_plus", groups).value == 1
    assert METRICS.get("membership_auc_min_k_plus_plus")("forget", groups).value == 0


def test_privleak_leaves_out_the_last_token():
    ours, theirs = world(0, 20), world(1, 20)
    a, b = (
        1 - auc(*([SCORES["min_k"](r) for r in own(g, name)] for name in ("forget", "holdout")))
        for g in (ours, theirs)
    )
    found = compare(ours, theirs, compat="open-unlearning")
    assert found[PREFIX + "privleak"].value == pytest.approx(100 * (a - b) / b)
    assert found[PREFIX + "privleak"].value != found["privleak"].value


def test_utility_takes_the_geometric_mean():
    """p 0.5, ROUGE 1, R = sqrt(0.1 x 0.4) / 0.5 = 0.4: 3 / (2 + 1 + 1/0.6)."""
    rows = [row("a", [math.log(0.5)], rouge_l_recall=1.0)]
    rows += [row("a", [math.log(p)], kind="perturbed", index=k) for k, p in enumerate((0.1, 0.4))]
    groups = {"retain": beside_wrong(rows)}
    found = of("model_utility", groups, "retain")
    assert found.value == pytest.approx(3 / (2 + 1 + 1 / 0.6))
    ours = METRICS.get("model_utility")("retain", groups)
    assert ours.value == pytest.approx(3 / (2 + 1 + 1 / 0.5))
