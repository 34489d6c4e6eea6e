"""ETW (arXiv 2604.17785): which tokens weigh how much."""

import math

import pytest
import torch

from unteach.errors import UserError
from unteach.losses.answer_rows import AnswerRows, NeedsWholeAnswersError
from unteach.methods import METHODS, build

LOG2 = math.log(2)


def seen():
    """Two answers, of three tokens and of one: one of four at random, sure, one of two, one of two.

    Entropies log 4, 0, log 2, log 2.
    """
    sure, two = [0.0, -90.0, -90.0, -90.0], [0.0, 0.0, -90.0, -90.0]
    z = torch.tensor([[0.0] * 4, sure, two, two], dtype=torch.float64, requires_grad=True)
    return AnswerRows(z, torch.zeros(4, dtype=torch.long), torch.tensor([0, 0, 0, 1]), 2)


def values(options=None, group=None):
    (term,) = build("etw", options or {}).forget(group or seen())
    assert (term.name, term.over, term.weight) == ("forget", "tokens", 1.0)
    return term.values


def test_weights_are_entropies_over_their_mean_in_the_answer():
    """Means log 2 and log 2: weights 2, 0, 1, 1, times log p of 1/4, 1, 1/2, 1/2."""
    assert values().tolist() == pytest.approx([2 * -2 * LOG2, 0, -LOG2, -LOG2])


def test_the_weights_of_an_answer_sum_to_its_length():
    group = seen()
    weight = build("etw", {})._weight(group)
    assert group.answer_sums(weight).tolist() == pytest.approx([3.0, 1.0])


def test_of_the_largest_entropy():
    """H / log 4: 1, 0, 1/2, 1/2."""
    found = values({"normalise": "vocabulary"}).tolist()
    assert found == pytest.approx([-2 * LOG2, 0, -LOG2 / 2, -LOG2 / 2])


def test_the_weight_has_no_gradient():
    """That of log p is 1 - p on the target: times 2, 0, 1, 1."""
    group = seen()
    values(group=group).sum().backward()
    assert group.require_logits().grad[:, 0].tolist() == pytest.approx([2 * 3 / 4, 0, 1 / 2, 1 / 2])


def test_heat_makes_all_tokens_alike():
    group = seen()
    weight = build("etw", {"temperature": 1e6})._weight(group)
    assert weight.tolist() == pytest.approx([1] * 4, abs=1e-3)


def test_an_answer_without_any_doubt_is_left_alone():
    z = torch.tensor([[900.0, 0.0], [900.0, 0.0]], requires_grad=True)
    none = torch.zeros(2, dtype=torch.long)
    found = values(group=AnswerRows(z, none, none, 1))
    assert found.tolist() == [0, 0]
    found.sum().backward()
    assert z.grad.isfinite().all()


def test_cut_answers_are_asked_for_whole_unless_rows_stand_alone():
    group = seen()
    part = AnswerRows(group.logits, group.target, group.answer_index, 2, whole=False).for_loss()
    with pytest.raises(NeedsWholeAnswersError):
        build("etw", {}).forget(part)
    alone = build("etw", {"normalise": "vocabulary"}).forget(part)[0].values
    assert alone.tolist() == values({"normalise": "vocabulary"}).tolist()


def test_it_is_bounded_as_ascent_is():
    plan, other = METHODS.get("etw").plan, METHODS.get("graddiff").plan
    assert (plan.power, plan.stop_at, plan.retain) == (other.power, other.stop_at, other.retain)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temperature": 0.0}, "more than 0"),
        ({"normalise": "vocab"}, "one of answer, vocabulary"),
        ({"beta": 1.0}, "no such option"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(UserError, match=says):
        build("etw", options)
