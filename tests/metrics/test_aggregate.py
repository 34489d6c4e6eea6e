"""The aggregate against its definition, with numbers worked out by hand."""

import math
from dataclasses import replace

import pytest
from worlds import told

from unteach.metrics import COMPARISONS, METRICS, ModelCase
from unteach.metrics._base import Metric
from unteach.suites.rivals import beside_wrong
from unteach.types import Score

HALF, QUARTER = math.log(0.5), math.log(0.25)


def row(id, logps, hits=(False, True), **more):
    sizes = {"means": (-3.0,) * len(logps), "spreads": (1.0,) * len(logps), "zlib": 10}
    return told(id, logps, hits=hits, **{**sizes, **more})


def example(id, logp):
    rows = [
        row(id, (logp,) * 4, (False, False, True, True)),
        row(id, (QUARTER,), (False,), kind="paraphrase"),
        row(id, (math.log(0.75),), (False,), kind="perturbed", index=0),
    ]
    return beside_wrong(rows)


def groups(members, others):
    forget = [r for k, x in enumerate(members) for r in example(f"f{k}", x)]
    holdout = [r for k, x in enumerate(others) for r in example(f"h{k}", x)]
    return {"forget": forget, "holdout": holdout, "retain": example("r", HALF)}


# An AUC of 3/4 and one of 1/2 for every attack: of -1 and -3 against -2 and -4, and -2.5 and -3.5.
OURS = groups((-1.0, -3.0), (-2.0, -4.0))
RETRAINED = groups((-1.0, -4.0), (-2.0, -3.0))


@pytest.fixture
def fluency(monkeypatch):
    """Model utility 0.3 of 0.6, fluency 0.9 of 0.6: shares of 1/2 and 1 (never above).

    Each in the group that the report asks, and nothing in others.
    """
    METRICS.get("probability")  # fills the registry
    for name, asked, ours in (("model_utility", "retain", 0.3), ("fluency", "forget", 0.9)):

        def function(group, case, asked=asked, ours=ours):
            value = ours if case.model is OURS else 0.6
            return Score(value if group == asked else None, 2)

        made = Metric(name=name, help="", direction={"": "high"}, function=function)
        monkeypatch.setitem(METRICS._things, name, made)


def of(name, rows=OURS, **beside):
    beside = {"original": RETRAINED, "retrained": RETRAINED, **beside}
    return COMPARISONS.get(name)(ModelCase(rows, **beside))


def test_memorization_by_hand():
    """ES = EM = 1/2, paraphrase p = 1/4, share = (1/4) / (1/4 + 3/4) = 1/4.

    4 / (1/(1/2) + 1/(1/2) + 1/(3/4) + 1/(3/4)) = 4 / (4 + 8/3) = 0.6.
    """
    assert of("aggregate_memorization").value == pytest.approx(0.6)


def test_privacy_by_hand():
    """AUC 3/4, retrained 1/2, for every attack: 1 - (1/4) / (1/2) = 1/2."""
    for attack in ("loss", "zlib", "min_k", "min_k_plus_plus"):
        metric = METRICS.get(f"membership_auc_{attack}")
        assert (metric("forget", OURS).value, metric("forget", RETRAINED).value) == (0.75, 0.5)
    assert of("aggregate_privacy").value == pytest.approx(0.5)
    assert of("aggregate_privacy", RETRAINED).value == 1
    lost = groups((-8.0, -9.0), (-1.0, -2.0))
    assert of("aggregate_privacy", lost).value == 0


def test_utility_and_the_whole_by_hand(fluency):
    """2 / (1/(1/2) + 1/1) = 2/3; 3 / (1/0.6 + 1/0.5 + 1/(2/3)) = 3 / (31/6) = 18/31."""
    assert of("aggregate_utility").value == pytest.approx(2 / 3)
    assert of("aggregate").value == pytest.approx(18 / 31)


def without(kind):
    """As if the data had none; what compares with it is empty too."""
    lost = {"truth_ratio": None, "truth_ratio_geometric": None} if kind == "perturbed" else {}
    return {g: [replace(r, **lost) for r in rows if r.kind != kind] for g, rows in OURS.items()}


def test_a_missing_part_is_named_and_never_left_out(fluency):
    for kind, why in (("paraphrase", "paraphrased_answer"), ("perturbed", "perturbed_answer")):
        for name in ("aggregate_memorization", "aggregate"):
            found = of(name, without(kind))
            assert found.value is None
            assert why in found.note
    for beside, part in (("retrained", "privacy"), ("original", "utility")):
        found = of("aggregate", **{beside: None})
        assert found.value is None
        assert f"{part}: no {beside} model is given" in found.note
    bare = {"forget": OURS["forget"]}
    assert "no holdout set" in of("aggregate_privacy", bare).note
    both = of("aggregate", without("paraphrase"), retrained=None).note
    assert "memorization: " in both
    assert "privacy: " in both


def test_an_auc_of_0_cannot_be_divided_by():
    none = groups((-8.0, -9.0), (-1.0, -2.0))
    assert "is 0" in of("aggregate_privacy", retrained=none).note
