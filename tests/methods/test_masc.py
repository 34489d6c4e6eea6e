"""MASC (arXiv 2606.02920): where its push begins and ends, and options that are none."""

import math

import pytest
import torch

from unteach.errors import UserError
from unteach.losses.answer_rows import AnswerRows
from unteach.methods import METHODS, build


def seen(*margins, rest=(0.0, 0.0), far=-50.0):
    """Rows whose target stands that far above two equal rivals; a fourth token is far below."""
    top = math.log(len(rest))
    z = torch.tensor([[m + top, *rest, far] for m in margins], dtype=torch.float64)
    none = torch.zeros(len(margins), dtype=torch.long)
    return AnswerRows(z.requires_grad_(), none, none, 1)


def values(options, group):
    (term,) = build("masc", options).forget(group)
    assert (term.name, term.over, term.weight) == ("forget", "tokens", 1.0)
    return term.values


def test_the_equation_by_hand():
    """tau = log(7/3) = 0.8473; relu(m - 0.5973) / 0.25."""
    found = values({}, seen(-3.0, 0.5, 0.8473, 2.0)).tolist()
    assert found == pytest.approx([0, 0, 1, (2 - 0.5973) / 0.25], abs=1e-3)


@pytest.mark.parametrize("rho", [0.9, 0.7, 0.5, 0.1])
def test_a_token_is_at_the_ceiling_where_its_share_is_rho(rho):
    """sigmoid(m) is the probability among the rivals; there the loss is 1."""
    group = seen(math.log(rho / (1 - rho)))
    z = group.require_logits()[0, :3]
    assert z.softmax(-1)[0].item() == pytest.approx(rho)
    assert values({"rho": rho, "top_k": 2}, group).item() == pytest.approx(1)


def test_the_push_ends_by_itself():
    """The page's table: with rho 0.7 it ends at 0.645 among the rivals, with 0.1 at 0.080."""
    for rho, end in ((0.7, 0.645), (0.5, 0.438), (0.3, 0.250), (0.1, 0.080)):
        above, below = (math.log(p / (1 - p)) for p in (end + 0.001, end - 0.001))
        group = seen(above, below)
        values({"rho": rho}, group).sum().backward()
        pushed, rested = group.require_logits().grad.abs().amax(-1).tolist()
        assert pushed == pytest.approx(4)  # 1 / eta
        assert rested == 0


def test_descent_lowers_the_target_and_lifts_its_rivals_alone():
    group = seen(3.0)
    values({"top_k": 2}, group).sum().backward()
    assert group.require_logits().grad[0].tolist() == pytest.approx([4, -2, -2, 0])


def test_it_ends_where_it_says_by_gradient_descent():
    group = seen(6.0)
    z = group.require_logits()
    for _ in range(200):
        (slope,) = torch.autograd.grad(values({}, group).sum(), z)
        with torch.no_grad():
            z -= 0.02 * slope
    assert z[0, :3].softmax(-1)[0].item() == pytest.approx(0.645, abs=0.03)


def test_what_holds_beside_it():
    plan = METHODS.get("masc").plan
    assert (plan.retain, plan.retain_weight, plan.stop_at) == ("kl", 20.0, None)
    assert build("masc", {}).needs() == frozenset()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rho": 1.0}, "less than 1"),
        ({"rho": 0.0}, "more than 0"),
        ({"rho": float("nan")}, "more than 0"),
        ({"eta": 0.0}, "more than 0"),
        ({"top_k": 0}, "at least 1"),
        ({"top_k": 2.5}, "whole number"),
        ({"tau": 0.0}, "no such option"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(UserError, match=says):
        build("masc", options)
