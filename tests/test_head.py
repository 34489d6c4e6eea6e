"""The head in our own hands: every family's rules, and a stop where a rule is not known."""

import pytest
import torch
from families import FAMILIES, IDS, tiny
from peft import LoraConfig, get_peft_model
from support import tiny_llama
from torch import nn

from unteach.head import head_of, products, require_agreement, states_only
from unteach.nouns import UserError

RULES = {
    "gemma2": "61 x 16, held below 30",
    "granite": "61 x 16, times 0.5",
    "cohere": "61 x 16, times 0.5",
    "llama": "61 x 16",
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_logits_are_the_models_own(family, dtype):
    head = require_agreement(FAMILIES[family](dtype=dtype), IDS)
    assert head.plain
    assert str(head) == RULES.get(family, "61 x 16")
    assert head.logits(torch.zeros(2, 16, dtype=dtype)).dtype in (torch.float32, torch.float64)


def test_soft_capping_that_gemma_3_may_have():
    model = tiny("gemma3_text", final_logit_softcapping=2.0)
    assert str(require_agreement(model, IDS)) == "61 x 16, held below 2"


def test_a_bias_and_a_padded_vocabulary():
    model = tiny_llama(tied=False)
    model.resize_token_embeddings(64)
    head = nn.Linear(16, 64).double()
    model.set_output_embeddings(head)
    assert str(require_agreement(model, IDS)) == "64 x 16, with bias"
    assert head_of(model).vocabulary == 64


@pytest.mark.parametrize("family", ["llama", "cohere", "gemma2"])
def test_a_rule_that_is_not_known_stops_with_its_name(family):
    model = FAMILIES[family]()
    inner = model.forward

    def forward(*args, **options):
        found = inner(*args, **options)
        found.logits = 1.01 * found.logits
        return found

    model.forward = forward
    with pytest.raises(UserError, match=f"{model.config.model_type}'s logits.*rule"):
        require_agreement(model, IDS)


def test_a_model_without_a_head():
    with pytest.raises(UserError, match="no output embeddings"):
        head_of(tiny_llama().model)


def test_adapters_on_the_head_are_not_read_past():
    model = get_peft_model(tiny_llama(tied=False), LoraConfig(target_modules=["lm_head"])).double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_()
    head = require_agreement(model.eval(), IDS)
    assert not head.plain
    assert len(head.trained) == 2


def test_a_frozen_head_stays_when_the_model_moves():
    model = tiny_llama()
    states = torch.ones(1, 16).double()
    before = head_of(model).frozen()
    expected = before.logits(states)
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
    assert torch.equal(before.logits(states), expected)
    assert not torch.equal(head_of(model).logits(states), expected)
    model.requires_grad_(False)
    assert head_of(model).frozen().weight is model.lm_head.weight


@pytest.mark.parametrize("family", FAMILIES)
def test_states_come_without_logits(family):
    model = FAMILIES[family]()
    with torch.no_grad(), states_only(model) as caught:
        out = model(input_ids=IDS, use_cache=False)
    assert out.logits.shape == (1, 0, 61)
    assert caught[0].shape == (1, 7, 16)
    assert model(IDS).logits.shape == (1, 7, 61)


@pytest.mark.parametrize("family", FAMILIES)
def test_traced_logits_are_the_same_with_a_graph(family):
    model = FAMILIES[family]()
    states = torch.randn(3, 16, dtype=torch.float64, requires_grad=True)
    head = head_of(model)
    found = head.traced(states)
    torch.testing.assert_close(found, head.logits(states))
    assert torch.autograd.grad(found.sum(), states)[0].any()


def test_gradients_below_float16_are_not_lost(monkeypatch):
    """1e-9 is nothing in float16; scaled to 1 it is not. As on CUDA, without one."""
    monkeypatch.setattr(products, "WIDE", False)
    gradient = 1e-9 * torch.tensor([[1.0, -0.5], [0.25, 0.0]])
    narrow, size = products._narrow(gradient, torch.float16)
    assert narrow.dtype == torch.float16
    found = products._wide(narrow, narrow.T) * size / 1e-9
    torch.testing.assert_close(found, gradient @ gradient.T / 1e-18)
    assert products._narrow(gradient, torch.bfloat16)[1] == 1.0
    nothing, size = products._narrow(torch.zeros(2, 2), torch.float16)
    assert not (nothing * size).any()
