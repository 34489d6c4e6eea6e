"""Truth ratios: TOFU's equation, both means, and every way to sum them up."""

import math

import pytest
from worlds import row, world

from unteach.metrics import METRICS
from unteach.metrics.truth_ratio import truth_ratios
from unteach.suites.rivals import beside_wrong


def of(name, groups, group="forget"):
    return METRICS.get(name)(group, {name: beside_wrong(rows) for name, rows in groups.items()})


def prob(found):
    return math.prod(math.exp(x) for x in found.scores.logps) ** (1 / len(found.scores.logps))


def by_hand():
    """R of a: (0.1 + 0.4) / 2 / 0.5 = 0.5, of b: 0.75 / 0.25 = 3; geometric a: 0.2 / 0.5 = 0.4."""
    rows = [row("a", [-9.0]), row("a", [math.log(0.5)] * 2, kind="paraphrase")]
    rows += [row("a", [math.log(p)], kind="perturbed", index=k) for k, p in enumerate((0.1, 0.4))]
    rows += [row("b", [math.log(0.25)]), row("b", [math.log(0.75)] * 3, kind="perturbed")]
    return rows


def test_truth_ratios_by_hand():
    assert truth_ratios(beside_wrong(by_hand())) == pytest.approx({"a": 0.5, "b": 3.0})
    assert truth_ratios(beside_wrong(by_hand()), geometric=True) == pytest.approx(
        {"a": 0.4, "b": 3.0}
    )


@pytest.mark.parametrize(
    ("name", "group", "value"),
    [
        ("truth_ratio", "forget", (0.5 + 1 / 3) / 2),  # min(R, 1/R)
        ("truth_ratio", "retain", (0.5 + 0) / 2),  # max(0, 1 - R)
        ("truth_ratio_share", "forget", (1 / 1.5 + 1 / 4) / 2),  # 1 / (1 + R)
        ("truth_ratio_share", "retain", (1 / 1.5 + 1 / 4) / 2),
        ("open_unlearning_truth_ratio", "forget", (0.4 + 1 / 3) / 2),
        ("open_unlearning_truth_ratio", "retain", (0.6 + 0) / 2),
        ("open_unlearning_truth_ratio_share", "forget", (1 / 1.4 + 1 / 4) / 2),
    ],
)
def test_sums_by_hand(name, group, value):
    score = of(name, {group: by_hand()}, group)
    assert (score.value, score.n) == (pytest.approx(value), 2)


def test_the_share_is_that_of_the_probabilities():
    """p / (p + mean of the wrong): 0.5 / (0.5 + 0.25) and 0.25 / (0.25 + 0.75)."""
    expected = (0.5 / 0.75 + 0.25 / 1.0) / 2
    assert of("truth_ratio_share", {"forget": by_hand()}).value == pytest.approx(expected)


def test_truth_ratio_is_the_papers_equation():
    groups, ratios = world(), {}
    for k in range(12):
        mine = [r for r in groups["forget"] if r.id == f"forget-{k}"]
        wrong = [prob(r) for r in mine if r.kind == "perturbed"]
        right = next(prob(r) for r in mine if r.kind == "paraphrase")
        ratios[f"forget-{k}"] = sum(wrong) / len(wrong) / right
    assert truth_ratios(groups["forget"]) == pytest.approx(ratios)
    mean = sum(min(r, 1 / r) for r in ratios.values()) / 12
    assert of("truth_ratio", groups).value == pytest.approx(mean)
    kept = truth_ratios(groups["retain"]).values()
    assert of("truth_ratio", groups, "retain").value == pytest.approx(
        sum(max(0, 1 - r) for r in kept) / 12
    )


def test_a_broken_model_has_a_truth_ratio_too():
    """Its probabilities are 0 in floats; their ratio is not."""
    rows = [row("a", [-2000.0]), row("a", [-2001.0], kind="perturbed")]
    assert truth_ratios(beside_wrong(rows)) == {"a": pytest.approx(math.exp(-1))}
    gone = [row("a", [-math.inf]), row("a", [-math.inf], kind="perturbed")]
    assert truth_ratios(beside_wrong(gone)) == {"a": 1.0}
    assert of("truth_ratio", {"forget": gone}).value == 1
    assert of("truth_ratio_share", {"forget": gone}).value == 0.5


def test_the_group_is_told_by_its_name():
    groups = world()
    copied = {**groups, "forget": list(groups["forget"])}
    assert of("truth_ratio", copied) == of("truth_ratio", groups)
    assert of("truth_ratio", groups) != of("truth_ratio", {"retain": groups["forget"]}, "retain")


def test_without_wrong_answers_there_is_none():
    for name in ("truth_ratio", "truth_ratio_share", "open_unlearning_truth_ratio"):
        assert "`perturbed_answer`" in of(name, {"forget": [row("a", [-1.0])]}).note
