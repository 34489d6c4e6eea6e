"""Probability, perplexity and choice: by hand, by definition, and at their limits."""

import math

import pytest
from worlds import own, row, world

from unteach.metrics import METRICS, ModelCase
from unteach.suites.rivals import beside_wrong

HALF = math.log(0.5)


def of(name, groups, group="forget"):
    return METRICS.get(name)(group, {name: beside_wrong(rows) for name, rows in groups.items()})


def prob(found):
    return math.prod(math.exp(x) for x in found.scores.logps) ** (1 / len(found.scores.logps))


def test_probability_by_hand():
    """(0.5 x 0.125)^(1/2) = 0.25 and 0.5^(1/1) = 0.5; their mean is 0.375."""
    groups = {"forget": [row("a", [HALF, 3 * HALF]), row("b", [HALF])]}
    assert of("probability", groups).value == pytest.approx(0.375)
    assert of("probability", groups).n == 2


def test_paraphrase_probability_by_hand():
    """The paraphrases alone: 0.5 and 0.125; their mean is 0.3125."""
    rows = [row("a", [0.0]), row("b", [0.0]), row("c", [0.0])]
    rows += [row("a", [HALF], kind="paraphrase"), row("b", [3 * HALF] * 2, kind="paraphrase")]
    score = of("paraphrase_probability", {"forget": rows})
    assert (score.value, score.n) == (pytest.approx(0.3125), 2)
    bare = of("paraphrase_probability", {"forget": rows[:3]})
    assert "`paraphrased_answer`" in bare.note


def test_perplexity_by_hand():
    """Nats: 1 + 3 over two tokens and 2 over one, so exp(6 / 3)."""
    groups = {"forget": [row("a", [-1.0, -3.0]), row("b", [-2.0])]}
    assert of("perplexity", groups).value == pytest.approx(math.exp(2))


def test_they_are_their_definitions():
    groups = world()
    rows = own(groups)
    assert of("probability", groups).value == pytest.approx(sum(map(prob, rows)) / len(rows))
    logps = [x for found in rows for x in found.scores.logps]
    assert of("perplexity", groups).value == pytest.approx(math.exp(-sum(logps) / len(logps)))
    low, high = of("perplexity", groups).low, of("perplexity", groups).high
    assert 1 <= low < of("perplexity", groups).value < high


def test_perplexity_of_a_broken_model_is_a_number():
    assert of("perplexity", {"forget": [row("a", [-1e6])]}).value < math.inf


def test_choice_by_hand():
    """0.5 / (0.5 + 0.25 + 0.25) = 1/2, and 0.25 / (0.25 + 0.75) = 1/4; their mean is 3/8."""
    rows = [row("a", [HALF]), row("b", [2 * HALF] * 3), row("b", [0.0], kind="paraphrase")]
    rows += [row("a", [2 * HALF] * 2, kind="perturbed", index=k) for k in range(2)]
    rows += [row("b", [math.log(0.75)], kind="perturbed")]
    score = of("choice_probability", {"facts": rows}, "facts")
    assert (score.value, score.n) == (pytest.approx(3 / 8), 2)


def test_choice_is_its_definition():
    groups, values = world(), []
    for found in own(groups, "authors"):
        mine = [r for r in groups["authors"] if r.id == found.id and r.kind == "perturbed"]
        values.append(prob(found) / (prob(found) + sum(map(prob, mine))))
    assert of("choice_probability", groups, "authors").value == pytest.approx(sum(values) / 12)


def test_choice_at_its_limits():
    """Sure is 1, wrong is 0, and a broken model guesses one of k + 1, whatever its numbers."""
    for right, wrong, value in ((-1.0, -1e4, 1.0), (-1e4, -1.0, 0.0), (-1e4, -1e4, 0.25)):
        rows = [row("a", [right])]
        rows += [row("a", [wrong], kind="perturbed", index=k) for k in range(3)]
        assert of("choice_probability", {"facts": rows}, "facts").value == pytest.approx(value)
    gone = [row("a", [-math.inf]), row("a", [-math.inf], kind="perturbed")]
    assert of("choice_probability", {"facts": gone}, "facts").value == 0.5
    assert "`perturbed_answer`" in of("choice_probability", {"facts": gone[:1]}, "facts").note


def test_divergence_by_hand():
    """Tokens, not answers, count alike: (0.1 + 0.3 + 0.2 + 1.0) / 4 = 0.4."""
    rows = [
        row("a", [-1.0] * 3, divergences=(0.1, 0.3, 0.2)),
        row("b", [-1.0], divergences=(1.0,)),
    ]
    assert of("divergence", {"retain": rows}, "retain").value == pytest.approx(0.4)
    same = [row("a", [-1.0], divergences=(-1e-9,))]
    assert of("divergence", {"retain": same}, "retain").value == 0
    assert "original" in of("divergence", {"retain": [row("a", [-1.0])]}, "retain").note


def test_a_slash_in_an_id_need_not_be_a_window():
    rows = [row("a/x", [-1.0]), row("a/y", [-2.0]), row("/3", [-3.0])]
    assert of("probability", {"forget": rows}).n == 3


def test_a_case_may_be_given_for_its_groups():
    groups = world()
    assert METRICS.get("probability")("forget", ModelCase(groups)) == of("probability", groups)
