"""A model beside the retrained one: forget quality, privacy leakage and the gaps."""

import math
from dataclasses import replace

import pytest
from metrics.test_membership import slow_auc as auc
from worlds import own, row, world

from unteach.metrics import METRICS, ModelCase, compare
from unteach.metrics.truth_ratio import truth_ratios
from unteach.suites.rivals import beside_wrong


def min_40(row):
    count = max(int(0.4 * len(row.scores.logps)), 1)
    return sum(sorted(row.scores.logps)[:count]) / count


@pytest.mark.parametrize("geometric", [False, True])
def test_forget_quality_is_the_ks_test(geometric):
    from scipy.stats import ks_2samp

    ours, theirs = world(0), world(1, shift=-1.0)
    samples = [
        list(truth_ratios(g["forget"], geometric=geometric).values()) for g in (ours, theirs)
    ]
    expected = ks_2samp(*samples)
    found = compare(ours, theirs, compat="open-unlearning")
    prefix = "open_unlearning_" if geometric else ""
    assert found[f"{prefix}forget_quality"].value == pytest.approx(expected.pvalue)
    if not geometric:
        assert "never alone" in found["forget_quality"].note
        assert found["forget_quality_ks"].value == pytest.approx(expected.statistic)
        log10 = math.log10(expected.pvalue)
        assert found["forget_quality_log10"].value == pytest.approx(log10)


def test_forget_quality_of_open_unlearning_takes_the_geometric_mean():
    """Right at 0.5. Ours has wrong answers at 0.1 and 0.4, the retrained model twice 0.22.

    R of ours: (0.1 + 0.4) / 2 / 0.5 = 0.5, geometric 0.2 / 0.5 = 0.4; of the other 0.44 by either.
    A second example with R 0.6 and 0.48 beside 0.44: distances 1 and 0.5, so chances differ.
    """

    def model(*wrong):
        rows = [row(str(k), [math.log(0.5)]) for k in range(len(wrong))]
        rows += [
            row(str(k), [math.log(p)], kind="perturbed", index=n)
            for k, pair in enumerate(wrong)
            for n, p in enumerate(pair)
        ]
        return {"forget": beside_wrong(rows)}

    case = model((0.1, 0.4), (0.12, 0.48)), model((0.22, 0.22), (0.22, 0.22))
    found = compare(*case, compat="open-unlearning")
    assert "KS distance 1.000" in found["forget_quality"].note
    assert "KS distance 0.500" in found["open_unlearning_forget_quality"].note
    assert found["forget_quality"].value < found["open_unlearning_forget_quality"].value


def test_the_ks_distance_by_hand():
    """R of ours e^-1, e^-2, e^-3, of theirs e^-2.5 thrice: at most 2/3 - 0 apart."""

    def model(*gaps):
        rows = [row(str(k), [-1.0]) for k in range(3)]
        rows += [row(str(k), [-1 - g], kind="perturbed") for k, g in enumerate(gaps)]
        return {"forget": beside_wrong(rows)}

    found = compare(model(1, 2, 3), model(2.5, 2.5, 2.5))["forget_quality_ks"]
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)


def test_the_ks_distance_does_not_sink_with_the_number_of_examples():
    """The same ratios ten times over: the distance stays, the chance of it sinks."""

    def tenfold(groups):
        return {
            "forget": [replace(r, id=f"{k}-{r.id}") for k in range(10) for r in groups["forget"]]
        }

    once = compare(world(0), world(1))
    often = compare(tenfold(world(0)), tenfold(world(1)))
    assert often["forget_quality_ks"].value == once["forget_quality_ks"].value
    assert often["forget_quality"].value < once["forget_quality"].value


def test_a_model_compared_with_itself():
    same = compare(world(), world(), compat="open-unlearning")
    assert same["forget_quality"].value == same["open_unlearning_forget_quality"].value == 1
    assert same["utility_ratio"].value == 1
    for name in ("probability_gap", "membership_auc_loss_gap", "privleak", "forget_quality_ks"):
        assert same[name].value == 0
        if name != "probability_gap":  # a mean of values in a known range
            assert same[name].low is None, "no draw can tell the two apart"
    assert same["probability_gap"].low == -same["probability_gap"].high < 0


def test_privleak_is_muses():
    """(AUC - AUC retrained) / AUC retrained x 100, each 1 minus ours, by the least likely 40%."""
    ours, theirs = world(0), world(1)
    a, b = (
        1 - auc(*([min_40(r) for r in own(g, name)] for name in ("forget", "holdout")))
        for g in (ours, theirs)
    )
    found = compare(ours, theirs)["privleak"]
    assert found.value == pytest.approx(100 * (a - b) / b)
    assert found.low < found.value < found.high
    assert found.n == 24


def test_privleak_has_the_sign_of_muse():
    """Below 0 when the forget answers still stand out, above 0 when they are over-forgotten."""
    even = {
        "forget": [row(str(k), [-1.0 - k]) for k in range(4)],
        "holdout": [row(str(k), [-1.0 - k]) for k in range(4)],
    }
    known = {**even, "forget": [row(str(k), [-0.001]) for k in range(4)]}
    gone = {**even, "forget": [row(str(k), [-9.0]) for k in range(4)]}
    assert compare(known, even)["privleak"].value == pytest.approx(-100)
    assert compare(gone, even)["privleak"].value == pytest.approx(100)
    assert "recognises every" in compare(gone, known)["privleak"].note


def test_the_interval_of_privleak_is_a_bootstrap_of_the_same_texts():
    """Drawn anew in plain Python, the middle 95% agrees."""
    import random

    rng = random.Random(0)
    models = (world(0, 30), world(1, 30))
    found = compare(*models)["privleak"]
    scores = [[{r.id: min_40(r) for r in own(g, n)} for n in ("forget", "holdout")] for g in models]
    drawn = []
    for _ in range(400):
        ids = [rng.choices(sorted(of), k=30) for of in scores[0]]
        a, b = (
            1 - auc(*([of[id] for id in some] for of, some in zip(model, ids, strict=True)))
            for model in scores
        )
        drawn.append(100 * (a - b) / b)
    drawn.sort()
    assert found.low == pytest.approx(drawn[10], abs=6)
    assert found.high == pytest.approx(drawn[-10], abs=6)


def test_ties_count_half_in_every_draw():
    """All tie but one of four members, which wins: AUC 0.625, and 0.5 retrained, so -25.

    A draw has it 0 to 3 times of 4 in all but 1 of 200: AUC 0.5 to 0.875, so 0 to -75.
    """
    flat = {g: [row(f"{g}{k}", [-1.0]) for k in range(4)] for g in ("forget", "holdout")}
    first = [row("forget0", [-0.5]), *flat["forget"][1:]]
    found = compare({**flat, "forget": first}, flat)["privleak"]
    assert found.value == pytest.approx(-25)
    assert found.high == pytest.approx(0)
    assert found.low == pytest.approx(-75)  # three of four draws are the one that wins


def test_other_questions_give_no_interval():
    ours, theirs = world(0), world(1)
    theirs["forget"] = [replace(r, id="x" + r.id) for r in theirs["forget"]]
    found = compare(ours, theirs)
    assert found["privleak"].low is None
    assert "not asked the same" in found["privleak"].note
    assert found["probability_gap"].value is None
    assert "not asked the same" in found["probability_gap"].note


def test_gaps_are_differences_of_metrics():
    ours, theirs = world(0), world(1)
    found = compare(ours, theirs)

    def both(name, group):
        return (METRICS.get(name)(group, g).value for g in (ours, theirs))

    a, b = both("probability", "forget")
    assert found["probability_gap"].value == pytest.approx(a - b)
    assert found["probability_gap"].low < a - b < found["probability_gap"].high
    a, b = both("membership_auc_loss", "forget")
    assert found["membership_auc_loss_gap"].value == pytest.approx(abs(a - b))
    a, b = both("model_utility", "retain")
    assert found["utility_ratio"].value == pytest.approx(a / b)


def test_the_gap_by_hand():
    """(0.5 - 0.25) and (0.5 - 0.75): their mean is 0, though neither is."""
    ours = {"forget": [row(id, [math.log(0.5)]) for id in "ab"]}
    theirs = {"forget": [row("b", [math.log(0.75)]), row("a", [math.log(0.25)])]}
    found = compare(ours, theirs)["probability_gap"]
    assert found.value == pytest.approx(0)
    assert found.low == pytest.approx(-found.high)
    assert 0.25 < found.high < 1, "two examples tell little"


def test_privleak_has_ends_where_no_draw_changes_the_auc():
    """Every forget answer above every holdout one: the draws all say -100, the AUC's interval not.

    Newcombe's lower end for 20 of 20, with Student's t, is 0.8849, and the retrained AUC is 0.5:
    100 (0.1151 - 0.5) / 0.5 = -77.0.
    """
    even = {g: [row(f"{g}{k}", [-1.0]) for k in range(20)] for g in ("forget", "holdout")}
    known = {**even, "forget": [row(f"forget{k}", [-0.001]) for k in range(20)]}
    found = compare(known, even)["privleak"]
    assert (found.value, found.low) == (pytest.approx(-100), pytest.approx(-100))
    assert found.high == pytest.approx(-76.97, abs=0.05)


def test_comparisons_without_their_references():
    bare = {"forget": [row("a", [-1.0])], "retain": [row("b", [-1.0])]}
    for name, score in compare(bare, bare, compat="open-unlearning").items():
        if name not in ("probability_gap", "closeness_privacy"):  # these need no more
            assert score.value is None, name
            assert score.note.startswith("not measurable: "), name
    for score in compare(world(), None).values():
        assert score.value is None or "original" in score.note or not score.note


def test_the_original_reaches_both_models():
    """A metric that needs the original is compared as any other."""
    from unteach.metrics.paired import both

    case = ModelCase(world(0), original=world(2), retrained=world(1))
    ours, theirs, n = both("membership_auc_reference", "forget", case)
    assert n == 24
    assert ours != theirs
