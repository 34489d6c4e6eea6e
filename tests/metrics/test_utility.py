"""Model utility: TOFU's nine numbers, or three for each group that is kept."""

from dataclasses import replace

import numpy
import pytest
from scipy.stats import hmean
from worlds import row, world

from unteach.metrics import METRICS
from unteach.suites.rivals import beside_wrong

PLAIN = ("probability", "rouge_l_recall", "truth_ratio")
CHOICE = ("choice_probability", "rouge_l_recall", "truth_ratio")


def of(name, groups, group="retain"):
    return METRICS.get(name)(group, groups)


def some(*names, seed=0):
    return {name: rows for name, rows in world(seed).items() if name in names}


def test_three_numbers_on_retain():
    groups = some("retain", "forget")
    found = of("model_utility", groups)
    assert found.value == pytest.approx(hmean([of(part, groups).value for part in PLAIN]))
    assert found.n == 12
    assert found.low < found.value < found.high


def test_six_with_the_world():
    groups = some("retain", "world")
    parts = [of(part, groups, group).value for group in ("retain", "world") for part in PLAIN]
    found = of("model_utility", groups)
    assert found.value == pytest.approx(hmean(parts))
    assert found.n == 24
    assert "truth_ratio on world" in found.note


@pytest.mark.parametrize("more", [(), ("world",)])
def test_nine_with_authors_and_facts(more):
    """TOFU's: the probability is that of a choice there, and the world is no part of it."""
    groups = some("retain", "authors", "facts", *more)
    parts = [of(part, groups).value for part in PLAIN]
    parts += [of(part, groups, group).value for group in ("authors", "facts") for part in CHOICE]
    found = of("model_utility", groups)
    assert found.value == pytest.approx(hmean(parts))
    assert found.n == 36
    assert found.note.count(" on ") == 9


def test_authors_alone_are_not_tofu():
    assert of("model_utility", some("retain", "authors")) == of("model_utility", some("retain"))


def test_utility_by_hand():
    """p 0.5, ROUGE 0.25, 1 - R = 1 - 0.25/0.5 = 0.5: 3 / (2 + 4 + 2) = 0.375."""
    import math

    rows = [row("a", [math.log(0.5)], rouge_l_recall=0.25)]
    rows += [row("a", [math.log(0.25)], kind="perturbed")]
    found = of("model_utility", {"retain": beside_wrong(rows)})
    assert found.value == pytest.approx(0.375)
    assert found.low < 0.05, "one example tells nearly nothing of others"
    assert found.high > 0.9


def test_one_part_at_zero_is_no_utility():
    groups = some("retain")
    groups["retain"] = [replace(r, rouge_l_recall=0.0) for r in groups["retain"]]
    assert of("model_utility", groups).value == 0


def test_what_is_missing_is_named():
    groups = some("retain", "authors", "facts")
    groups["facts"] = [replace(r, choice=None, truth_ratio=None) for r in groups["facts"]]
    note = of("model_utility", groups).note
    assert "choice_probability on facts" in note
    assert "perturbed_answer" in note
    silent = {"retain": [replace(r, rouge_l_recall=None) for r in world()["retain"]]}
    assert "rouge_l_recall on retain" in of("model_utility", silent).note
    assert "no examples" in of("model_utility", some("authors")).note


def test_examples_without_wrong_answers_count_where_they_can():
    groups = some("retain")
    groups["retain"] = [
        replace(r, truth_ratio=None) if r.id == "retain-0" else r for r in groups["retain"]
    ]
    parts = [of(part, groups).value for part in PLAIN]
    assert of("model_utility", groups).value == pytest.approx(hmean(parts))


def test_the_interval_holds_what_other_samples_give():
    """Of 60 samples, about 57 intervals hold the value of a sample a hundred times as large."""
    truth = of("model_utility", {"retain": world(99, 4000, groups=("retain",))["retain"]}).value
    scores = [
        of("model_utility", {"retain": world(seed, 40, groups=("retain",))["retain"]})
        for seed in range(60)
    ]
    assert 54 <= sum(s.low <= truth <= s.high for s in scores) <= 60


def test_a_part_that_is_mostly_0_is_covered():
    """ROUGE-L is 0 for 19 in 20 answers: a bootstrap of 20 holds the truth 6 times in 10."""
    from unteach.metrics.utility import Table, _bootstrap, harmonic_mean

    rng = numpy.random.default_rng(0)
    truth, held = harmonic_mean([0.5, 0.5, 0.025]), 0
    for _ in range(100):
        values = rng.random((3, 20))
        values[2] *= rng.random(20) < 0.05
        low, high = _bootstrap([Table(values, numpy.ones_like(values))])
        held += low <= truth <= high
    assert held >= 92 - 6, held  # two standard errors of 100 repetitions
