"""Levels of tokens from the holdout: whose they are, their mean, the strength they need."""

import math
from random import Random

import pytest
from teachers.test_sources import FORGET, NAMELESS, inputs

from unteach.teachers import find_teacher
from unteach.teachers.holdout import at_most_lowered, like_the_holdout, lowest_to_selected

FACT_LAST = [-0.0002, -0.0004, -0.05]


def logit(logp):
    return logp - math.log(-math.expm1(logp))


def test_the_least_likely_token_gets_the_least_likely():
    (found,) = like_the_holdout([FACT_LAST], [[-6.0, -0.001, -0.1]])
    assert found == [-0.001, -0.1, -6.0]


def test_the_likeliest_answer_gets_the_likeliest_of_the_holdout():
    known = [[-0.03], [-0.01], [-0.02]]
    assert like_the_holdout(known, [[-2.0], [-1.0], [-3.0]]) == [[-3.0], [-1.0], [-2.0]]


@pytest.mark.parametrize("count", [2, 5, 20])
def test_ranks_are_spread_over_a_holdout_of_another_size(count):
    known = [[-0.01 * (k + 1)] for k in range(10)]
    held = [[-1.0 - k] for k in range(count)]
    found = [x for (x,) in like_the_holdout(known, held)]
    assert found == sorted(found, reverse=True)
    mean = sum(x for (x,) in held) / count
    assert sum(found) / 10 == pytest.approx(mean, abs=0.51)


@pytest.mark.parametrize("longer", [2, 3, 7])
def test_an_answer_of_another_length_keeps_the_mean(longer):
    known = [-0.001 * (k + 1) for k in range(longer)]
    (found,) = like_the_holdout([known], [[-4.0, -0.5, 0.0]])
    if longer > 1:
        assert sum(found) / longer == pytest.approx(-4.5 / 3, abs=0.01)
    assert min(found) == pytest.approx(-4.0 * longer / 3)


def test_no_token_becomes_likelier():
    (found,) = like_the_holdout([[-3.0, -0.5, -0.1]], [[-0.2, -0.1, -0.1]])
    assert found == [-3.0, -0.5, -0.1]


def test_the_order_of_answers_and_of_the_holdout_changes_nothing():
    known = [[-0.03, -0.001], [-0.01, -0.2], [-0.02, -0.3]]
    held = [[-2.0, -0.1], [-1.0, -0.2], [-3.0, -0.3]]
    found = like_the_holdout(known, held)
    assert like_the_holdout(known[::-1], held[::-1]) == found[::-1]


@pytest.mark.parametrize("known", [-1e-9, -1e-3, -0.7, -12.0])
@pytest.mark.parametrize("wanted", [-0.01, -2.0, -11.0])
@pytest.mark.parametrize("strength", [0.0, 3.0, 30.0])
def test_a_token_ends_where_its_strength_takes_it(known, wanted, strength):
    """In float64, with three tokens: s = logit(p0) - logit(p), from 0 to `strength`."""
    ((found,),) = at_most_lowered([[wanted]], [[known]], strength)
    s = min(max(logit(known) - logit(wanted), 0.0), strength)
    rest = math.log(-math.expm1(known) / 2)
    z = [known - s, rest, rest]
    total = math.log(math.fsum(math.exp(x - max(z)) for x in z)) + max(z)
    assert found == pytest.approx(z[0] - total, rel=1e-6, abs=1e-12)


def test_extreme_strengths_and_certain_tokens_are_finite():
    for strength in (0.0, 30.0, 1e5):
        ((a, b),) = at_most_lowered([[-1e6, 0.0]], [[0.0, 0.0]], strength)
        assert math.isfinite(a)
        assert a <= b <= 0


def test_the_teacher_leaves_what_is_certain_where_never_seen_answers_are_certain(own):
    """The model is sure of all but one token of the holdout's answers, and so is the teacher."""
    given = inputs(
        own,
        forget=FORGET,
        holdout=[NAMELESS] * 8,
    )

    def logps(found):
        sizes = [sum(s.answer) for s in found]
        kind = -6.0 if found[0].id.startswith("holdout") else -0.05
        return [[-0.001] * (n - 2) + [kind, -0.001] for n in sizes]

    teacher = find_teacher("level", type(given)(**{**vars(given), "logps": logps}))
    assert teacher.source == "level"
    assert all(teacher.set_level)
    assert teacher.sequences == given.forget
    for own_targets in teacher.targets:
        assert own_targets[-2] < -4.0
        assert min(own_targets[:-2]) == pytest.approx(-0.001, rel=1.0)


def test_places_in_a_larger_holdout_are_the_middles_of_its_shares():
    holdout = [[-4.0], [-3.0], [-2.0], [-1.0]]
    assert like_the_holdout([[-0.2], [-0.1]], holdout) == [[-3.0], [-1.0]]


@pytest.mark.parametrize("seed", range(4))
def test_selected_tokens_get_the_lowest_levels(seed):
    """The answer's levels are the same in another order, which its own order decides in a group."""
    random = Random(seed)
    targets = [-random.expovariate(1.0) for _ in range(9)]
    selected = [random.random() < 0.4 for _ in targets]
    found = lowest_to_selected(targets, selected)
    assert sorted(found) == sorted(targets)
    groups = [[k for k, s in enumerate(selected) if s == wanted] for wanted in (True, False)]
    ours, others = ([found[k] for k in group] for group in groups)
    assert max(ours, default=-99.0) <= min(others, default=0.0)
    for group in groups:
        order = sorted(group, key=lambda k: targets[k])
        assert order == sorted(group, key=lambda k: found[k])


def test_a_token_that_float32_rounds_to_certain_is_lowered_as_far_as_its_neighbour():
    ((found, near),) = at_most_lowered([[-9.0, -9.0]], [[0.0, -1.2e-7]], 30.0)
    assert found == near == -9.0
