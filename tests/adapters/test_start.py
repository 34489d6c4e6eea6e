"""What FILA says of itself: epsilon beside the Fisher information, memory, the first logits."""

import logging

import pytest
import torch
from support import sequences, tiny_llama

from unteach.adapters import LoraSettings, add_lora, fila, fila_bytes, initialise_fila
from unteach.adapters.swamped import Swamped
from unteach.adapters.unchanged import first_logits, require_same_logits
from unteach.errors import UserError

FORGET, RETAIN = sequences(5, "forget"), sequences(7, "retain")


def adapted(dtype=torch.float32, **settings):
    return add_lora(tiny_llama(dtype=dtype), LoraSettings(**{"rank": 4, **settings}))


def test_epsilon_above_the_retain_fisher_is_said_once_with_what_would_do():
    told = []
    start = initialise_fila(adapted(), FORGET, RETAIN, epsilon=1e3, note=told.append)
    (problem,) = told
    assert (problem.where, problem.kind) == ("adapter.epsilon", "note")
    assert "of 100.0% of the weights" in problem.what
    assert start.facts["fila_epsilon"] == 1e3
    assert start.facts["fila_retain_fisher_below_epsilon"] == 1
    proposed = float(problem.hint.partition("adapter.epsilon=")[2].split()[0])
    again = initialise_fila(adapted(), FORGET, RETAIN, epsilon=proposed, note=told.append)
    assert len(told) == 1  # nothing more to say
    assert 0.2 < again.facts["fila_retain_fisher_per_epsilon"]["median"] < 5


def test_epsilon_below_the_retain_fisher_is_no_news():
    told = []
    start = initialise_fila(adapted(), FORGET, RETAIN, epsilon=1e-30, note=told.append)
    assert not told
    ratios = start.facts["fila_retain_fisher_per_epsilon"]
    assert 1 < ratios["least"] <= ratios["median"] <= ratios["most"]


def test_without_a_listener_the_note_is_logged(caplog):
    with caplog.at_level(logging.WARNING, "unteach"):
        initialise_fila(adapted(), FORGET, RETAIN, epsilon=1e3)
    assert "adapter.epsilon: 1000 is above" in caplog.text


def test_the_shares_written_out():
    found = Swamped(1.0, {"a": torch.tensor([[0.5, 2.0, 4.0]]), "b": torch.tensor([[0.1]])})
    assert found.facts()["fila_retain_fisher_below_epsilon"] == 0.5
    ratios = {"least": 0.1, "median": 1.1, "most": 2.0}  # medians 2 and 0.1: their middle is 1.05
    assert found.facts()["fila_retain_fisher_per_epsilon"] == ratios
    assert not list(found.notes())
    (note,) = Swamped(1.0, {"a": torch.zeros(3, 3)}).notes()
    assert "lower it" in note.hint


def test_a_large_epsilon_is_the_forget_sets_importance_alone():
    """R = F_f / (F_r + eps) tends to F_f / eps: whatever is retained, the same factors."""
    first, second = (
        initialise_fila(adapted(), FORGET, retain, epsilon=1e6, note=lambda p: None)
        for retain in (RETAIN, sequences(7, "retain", seed=9))
    )
    third = initialise_fila(adapted(), FORGET, RETAIN, epsilon=1e-9)
    for name, (a, b) in first.factors.items():
        torch.testing.assert_close(b @ a, second.factors[name][1] @ second.factors[name][0])
    assert any(
        not torch.allclose(b @ a, third.factors[n][1] @ third.factors[n][0], rtol=1e-2)
        for n, (a, b) in first.factors.items()
    )


@pytest.mark.parametrize(("dtype", "size"), [(torch.bfloat16, 4), (torch.float64, 8)])
def test_the_memory_is_two_sums_for_each_targeted_weight(dtype, size):
    model = adapted(dtype, targets=["q_proj", "up_proj"])
    assert fila_bytes(model) == 2 * size * 2 * (16 * 16 + 32 * 16)
    start = initialise_fila(model, FORGET, RETAIN)
    assert start.facts["fila_fisher_bytes"] == fila_bytes(model)


@pytest.mark.parametrize(
    ("dtype", "most"), [(torch.float32, 1e-5), (torch.float16, 0.03), (torch.bfloat16, 0.15)]
)
def test_the_step_0_error_is_measured(dtype, most):
    start = initialise_fila(adapted(dtype), FORGET, RETAIN)
    assert 0 < start.facts["fila_step0_error"] < most


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_split_that_changes_the_model_stops_the_run(dtype, monkeypatch):
    split = fila._split

    def forgetful(layer, weights, seed):
        before = layer.get_base_layer().weight.clone()
        found = split(layer, weights, seed)
        layer.get_base_layer().weight.copy_(before)  # what was taken out is there twice
        return found

    monkeypatch.setattr(fila, "_split", torch.no_grad()(forgetful))
    with pytest.raises(UserError, match=r"first logits changed by .*rounding explains") as caught:
        initialise_fila(adapted(dtype), FORGET, RETAIN)
    assert "dtype=float32" in caught.value.problems[0].hint
    assert "forget-" not in str(caught.value)


def test_four_texts_and_no_more_are_looked_at():
    looked = first_logits(adapted(), sequences(6, "forget"))
    assert [len(x) for x in looked] == [len(s.ids) for s in FORGET[:4]]


def test_fast_products_may_round_more():
    model, before = adapted(), [torch.ones(2, 3)]
    after = [before[0] + 0.01]
    with pytest.raises(UserError, match="rounding explains"):
        require_same_logits(model, before, after)
    torch.set_float32_matmul_precision("high")
    try:
        assert require_same_logits(model, before, after) == pytest.approx(0.01)
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_any_more_are_no_rounding(broken):
    fine, bad = torch.ones(2, 3), torch.tensor([[1.0, broken, 1.0]] * 2)
    for after in ([fine, bad], [bad, fine]):
        with pytest.raises(UserError, match="first logits changed"):
            require_same_logits(adapted(), [fine, fine], after)


def test_logits_that_the_model_bars_are_no_change():
    barred = torch.tensor([[1.0, -float("inf"), 2.0]])
    assert require_same_logits(adapted(), [barred], [barred.clone()]) == 0


def test_batches_and_the_place_of_the_sums_reach_the_start():
    single = initialise_fila(adapted(), FORGET, RETAIN)
    batched = initialise_fila(adapted(), FORGET, RETAIN, batch=2)
    on_cpu = initialise_fila(adapted(), FORGET, RETAIN, device="cpu")
    for name, (a, _) in single.factors.items():
        assert torch.equal(a, on_cpu.factors[name][0])
    assert any(not torch.equal(a, batched.factors[n][0]) for n, (a, _) in single.factors.items())
