"""The baselines on a group small enough to reckon by hand.

Two answers, three tokens, a vocabulary of two; every row predicts token 0, so that p is
sigmoid(z_0 - z_1). With z_1 = 0 and z_0 = log odds:

    row  answer  place  odds  p      under the model before
    0    0       0      1     1/2    3/4
    1    0       1      3     3/4    3/4
    2    1       0      1     1/2    1/2

So the answers have p = 3/8 and 1/2, and before 9/16 and 1/2.
"""

import math
from dataclasses import replace

import pytest
import torch

from unteach.errors import UserError
from unteach.losses.answer_rows import AnswerRows
from unteach.methods import METHODS, build

LOG2, LOG3 = math.log(2), math.log(3)


def rows(*odds, answer, **more):
    z = torch.tensor([[math.log(x), 0.0] for x in odds], dtype=torch.float64, requires_grad=True)
    answer = torch.tensor(answer)
    target = torch.zeros(len(odds), dtype=torch.long)
    return AnswerRows(z, target, answer, int(answer.max()) + 1, **more)


def logs(*values):
    return torch.tensor([math.log(v) for v in values], dtype=torch.float64)


def seen(**more):
    before = torch.tensor([[LOG3, 0.0], [LOG3, 0.0], [0.0, 0.0]], dtype=torch.float64)
    return rows(
        *(1, 3, 1), answer=[0, 0, 1], reference_logits=before, reference_logps=logs(9 / 16, 1 / 2),
        position=torch.tensor([0, 1, 0]), **more)  # fmt: skip


def instead():
    """Other answers of one token each: p = 1/4 and 1/2, before 1/2 and 1/2."""
    return rows(1 / 3, 1, answer=[0, 1], reference_logps=logs(1 / 2, 1 / 2))


def one_term(name, options=None, group=None):
    (term,) = build(name, options or {}).forget(group or seen())
    assert term.name == "forget"
    assert term.weight == 1.0
    return term


def same(values, expected):
    torch.testing.assert_close(
        values.tolist(), [float(x) for x in expected], rtol=1e-12, atol=1e-14
    )


# Losses of tokens.


@pytest.mark.parametrize("name", ["ascent", "graddiff", "kl-min"])
def test_ascent(name):
    """log p of each row: log 1/2, log 3/4, log 1/2."""
    term = one_term(name)
    same(term.values, [-LOG2, math.log(3 / 4), -LOG2])
    assert term.over == "tokens"


def test_what_holds_beside_ascent():
    """Nothing, the NLL, the KL."""
    found = [METHODS.get(name).plan.retain for name in ("ascent", "graddiff", "kl-min")]
    assert found == ["none", "nll", "kl"]


def test_task_vector_learns():
    """-log p: it learns first, and walks the other way when it is done."""
    same(one_term("task-vector").values, [LOG2, math.log(4 / 3), LOG2])


def test_task_vector_takes_the_change_away():
    """From 1 to 3 with strength 1/2: 1 - (3 - 1) / 2 = 0; what did not move stays."""
    start, end = torch.tensor([1.0, 5.0]), torch.tensor([3.0, 5.0])
    assert build("task-vector", {"strength": 0.5}).finish(start, end).tolist() == [0.0, 5.0]
    assert build("task-vector", {}).finish(start, end).tolist() == [-1.0, 5.0]
    assert build("npo", {}).finish(start, end).tolist() == [3.0, 5.0]  # others leave it be


def test_wga():
    """p^2 log p: -log 2 / 4, 9/16 log 3/4, -log 2 / 4."""
    term = one_term("wga", {"beta": 2.0})
    same(term.values, [-LOG2 / 4, 9 / 16 * math.log(3 / 4), -LOG2 / 4])
    assert term.over == "tokens"


def test_satimp():
    """p^5 (1 - p) log p with the defaults: (1/2)^6 log 1/2 and (3/4)^5 (1/4) log 3/4."""
    term = one_term("satimp")
    half, other = -LOG2 / 64, 0.75**5 * 0.25 * math.log(0.75)
    same(term.values, [half, other, half])
    assert METHODS.get("satimp").plan.retain_weight == 0.1


def test_ce_u_leaves_the_first_tokens_alone():
    """With two tokens the label is the other one: -log(1 - p), log 4 at p = 3/4.

    Of three tokens two come first, so the mean is over 3 - 2 = 1.
    """
    term = one_term("ce-u")
    same(term.values, [0, 2 * LOG2, 0])
    assert term.over == {"tokens": 1, "answers": -1}


def test_ce_u_of_all_tokens():
    """-log(1 - p): log 2, log 4, log 2. Places are not looked at."""
    term = one_term("ce-u", {"skip_first": False}, replace(seen(), position=None))
    same(term.values, [LOG2, 2 * LOG2, LOG2])
    assert term.over == "tokens"


def test_ce_u_gives_first_tokens_no_gradient():
    group = seen()
    one_term("ce-u", group=group).values.sum().backward()
    assert group.logits.grad[[0, 2]].abs().max() == 0
    same(group.logits.grad[1], [0.75, -0.75])  # p on the target, -p on the other


def test_jensun_draws_to_the_refusal():
    """Refusal tokens 1, 0, 1 have p = 1/2, 3/4, 1/2.

    JSD to certainty at p = 1/2: log(4/3)/2 + log(2/3)/4 + log(2)/4 = 0.215762; at p = 3/4:
    log(8/7)/2 + 3/8 log(6/7) + log(2)/8 = 0.095603.
    """
    term = one_term("jensun", group=seen(refusal=torch.tensor([1, 0, 1])))
    half = math.log(4 / 3) / 2 + math.log(2 / 3) / 4 + LOG2 / 4
    other = math.log(8 / 7) / 2 + 3 / 8 * math.log(6 / 7) + LOG2 / 8
    same(term.values, [half, other, half])
    assert [round(x, 6) for x in term.values.tolist()] == [0.215762, 0.095603, 0.215762]
    assert METHODS.get("jensun").plan.retain == "jsd"


def test_pdu_flattens():
    """(largest - mean)^2 of (0, 0), (log 3, 0), (0, 0): 0, (log(3) / 2)^2, 0."""
    same(one_term("pdu").values, [0, LOG3**2 / 4, 0])


def test_pdu_weighs_by_the_bound():
    """Bound (1 + 1/2) 2 = 3. Loss 4 adds 4 - 3 = 1, loss 1 takes 2 away, never under 0."""
    pdu = build("pdu", {})
    assert pdu.reweigh(1.0, 4.0, 2.0) == 2.0
    assert pdu.reweigh(5.0, 1.0, 2.0) == 3.0
    assert pdu.reweigh(1.0, 1.0, 2.0) == 0.0
    assert pdu.reweigh(1.0, 3.0, 2.0) == 1.0  # at the bound it rests
    strict = build("pdu", {"tolerance": 0.0, "dual_rate": 0.1})
    assert strict.reweigh(1.0, 4.0, 2.0) == pytest.approx(1.2)
    assert build("graddiff", {}).reweigh(1.0, 4.0, 2.0) == 1.0  # others leave it be


# Losses of answers.


def test_npo():
    """beta 1: 2 log(1 + p / p0). 3/8 over 9/16 is 2/3, 1/2 over 1/2 is 1."""
    term = one_term("npo", {"beta": 1.0})
    same(term.values, [2 * math.log(5 / 3), 2 * LOG2])
    assert term.over == "answers"


def test_simnpo():
    """beta 1: 2 log(1 + p^(1 / length)): sqrt(3/8) for the answer of two tokens, 1/2 for one."""
    term = one_term("simnpo", {"beta": 1.0})
    same(term.values, [2 * math.log(1 + math.sqrt(3 / 8)), 2 * math.log(3 / 2)])
    assert term.over == "answers"
    assert METHODS.get("simnpo").plan.retain_weight == 8


def test_simnpo_with_a_margin():
    """gamma log 2 doubles what stands beside the 1: 2 log(1 + 2 p^(1 / length))."""
    term = one_term("simnpo", {"beta": 1.0, "margin": LOG2})
    same(term.values, [2 * math.log(1 + 2 * math.sqrt(3 / 8)), 2 * LOG2])


@pytest.mark.parametrize("name", ["dpo", "idk-dpo", "altpo"])
def test_preferences(name):
    """beta 1: 2 log(1 + (p / p0) / (w / w0)).

    Answers: 2/3 and 1 to forget; the others 1/2 and 1. So 2 log(1 + 4/3) and 2 log 2.
    """
    term = one_term(name, {"beta": 1.0}, seen(alternate=instead()))
    same(term.values, [2 * math.log(7 / 3), 2 * LOG2])
    assert term.over == "answers"


@pytest.mark.parametrize("name", ["dpo", "idk-dpo", "altpo"])
def test_preferences_lift_the_one_and_push_the_other(name):
    group = seen(alternate=instead())
    one_term(name, group=group).values.sum().backward()
    assert (group.logits.grad[:, 0] > 0).all()  # descent pushes the answer's tokens down
    assert (group.require_alternate().logits.grad[:, 0] < 0).all()


def test_where_the_other_answers_come_from():
    found = {name: METHODS.get(name).alternates for name in ("dpo", "idk-dpo", "altpo", "idk")}
    assert found == {
        "dpo": "column",
        "idk-dpo": "refusals",
        "altpo": "generated",
        "idk": "refusals",
    }


def test_idk_learns_the_refusals():
    """-log p of the refusals' tokens: log 4, log 2, over the refusals' tokens."""
    group = seen(alternate=instead())
    term = one_term("idk", group=group)
    same(term.values, [2 * LOG2, LOG2])
    assert term.over == "alternate"
    term.values.sum().backward()
    assert group.logits.grad is None  # the old answers are not looked at


# The four's additions.


def test_undial_distils_the_prompts_where_asked():
    """KL(before || model) at a prompt token: 3/4 log(3/2) + 1/4 log(1/2) = 0.130812."""
    before = torch.tensor([[LOG3, 0.0]], dtype=torch.float64)
    prompt = rows(1, answer=[0], reference_logits=before)
    plain, held = build("undial", {}), build("undial", {"prompt_distillation": 0.5})
    assert [t.name for t in plain.forget(seen())] == ["forget"]
    assert not plain.holds()
    assert "prompt" not in plain.needs()
    forget, hold = held.forget(seen(prompt=prompt))
    assert (forget.name, hold.name, hold.over, hold.weight) == ("forget", "hold", "prompt", 0.5)
    same(hold.values, [3 / 4 * math.log(3 / 2) + 1 / 4 * math.log(1 / 2)])
    assert held.holds()
    assert held.needs() == {"reference_logits", "prompt"}


def test_unilogit_to_the_original():
    """Two tokens: the label is (1/2, 1/2) whoever makes it, so KL(p || label) is the same.

    p = 3/4: 3/4 log(3/2) + 1/4 log(1/2).
    """
    expected = [0, 3 / 4 * math.log(3 / 2) + 1 / 4 * math.log(1 / 2), 0]
    same(one_term("unilogit").values, expected)
    same(one_term("unilogit", {"target": "original"}).values, expected)
    assert build("unilogit", {}).needs() == frozenset()
    assert build("unilogit", {"target": "original"}).needs() == {"reference_logits"}


def test_unilogit_averaged_over_the_vocabulary_weighs_a_part():
    """Beside a retain term the mean over V entries is the sum at weight 1/V."""
    (summed,) = build("unilogit", {}).forget(seen())
    (averaged,) = build("unilogit", {"reduction": "mean"}).forget(seen())
    same(averaged.values, summed.values.tolist())
    assert (summed.weight, averaged.weight) == (1.0, 1 / seen().vocabulary)


# Bad options.


@pytest.mark.parametrize(("name", "options", "says"), [
    ("wga", {"beta": -1.0}, "at least 0"),
    ("satimp", {"saturation": -1.0}, "at least 0"),
    ("satimp", {"importance": float("nan")}, "at least 0"),
    ("simnpo", {"beta": 0.0}, "more than 0"),
    ("simnpo", {"margin": -1.0}, "at least 0"),
    ("dpo", {"beta": 0}, "more than 0"),
    ("idk-dpo", {"beta": "much"}, "a number"),
    ("altpo", {"beta": float("inf")}, "finite"),
    ("ce-u", {"skip_first": 1}, "true or false"),
    ("pdu", {"tolerance": -0.1}, "at least 0"),
    ("pdu", {"dual_rate": 0}, "more than 0"),
    ("task-vector", {"strength": 0.0}, "more than 0"),
    ("rmu", {"steering": 0}, "more than 0"),
    ("rmu", {"at": -2}, "at least -1"),
    ("rmu", {"at": 1.5}, "whole number"),
    ("rmu", {"seed": -1}, "at least 0"),
    ("undial", {"prompt_distillation": -1.0}, "at least 0"),
    ("unilogit", {"target": "other"}, "one of current, original"),
    ("kl-min", {"beta": 1}, "no such option"),
    ("idk", {"beta": 1}, "no such option"),
    ("jensun", {"beta": 1}, "no such option"),
])  # fmt: skip
def test_bad_options_are_refused(name, options, says):
    with pytest.raises(UserError, match=says):
        build(name, options)
