"""The head in our own hands: every family's rules, and a stop where a rule is not known."""

import pytest
import torch
from families import FAMILIES, IDS, tiny
from peft import LoraConfig, get_peft_model
from support import tiny_llama
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from unteach.errors import UserError
from unteach.head import head_of, require_agreement, states_only

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


def test_neither_does_a_frozen_bias_nor_an_adapter_with_dropout_move():
    model = tiny_llama(tied=False)
    model.set_output_embeddings(nn.Linear(16, 61).double())
    wrapped = get_peft_model(
        tiny_llama(tied=False), LoraConfig(target_modules=["lm_head"], lora_dropout=0.5)
    ).double()
    states = torch.ones(2, 16).double()
    for policy in (model, wrapped):
        expected = head_of(policy.eval()).logits(states).detach()
        frozen = head_of(policy.train()).frozen()
        with torch.no_grad():
            for p in policy.get_output_embeddings().parameters():
                if p.requires_grad:
                    p += 1.0
        assert torch.equal(frozen.logits(states), expected)
        assert not torch.equal(head_of(policy).logits(states), expected)


def test_autocast_does_not_round_what_comes_out():
    """Else numbers of the model before would be rougher than those of the model in training."""
    head, states = head_of(tiny_llama(dtype=torch.float32)), torch.randn(3, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = head.logits(states)
    assert torch.equal(found, head.logits(states))


def test_a_frozen_head_is_kept_in_the_dtype_of_its_products():
    head = head_of(tiny_llama(dtype=torch.float32)).at(torch.bfloat16)
    frozen, states = head.frozen(), torch.randn(3, 16)
    assert frozen.weight.dtype == torch.bfloat16
    assert torch.equal(frozen.logits(states), head.logits(states))


def test_of_a_head_with_adapters_only_what_is_trained_is_copied():
    model = get_peft_model(tiny_llama(tied=False), LoraConfig(target_modules=["lm_head"]))
    head = head_of(model)
    frozen = head.frozen()
    assert frozen.module.base_layer.weight is head.module.base_layer.weight
    pairs = zip(frozen.module.parameters(), head.module.parameters(), strict=True)
    assert sum(one is not other for one, other in pairs) == 2
    assert not frozen.trained
    assert len(head.trained) == 2


def test_a_head_that_is_not_called_is_not_known():
    model = tiny_llama()
    head = model.lm_head.weight
    model.lm_head = nn.Identity()
    model.get_output_embeddings = lambda: nn.Linear(16, 61, bias=False).double()
    inner = model.forward

    def forward(*args, **options):
        found = inner(*args, **options)
        found.logits = found.logits @ head.T
        return found

    model.forward = forward
    with pytest.raises(UserError, match="rule"):
        require_agreement(model, IDS)


@pytest.mark.parametrize(
    ("kind", "name"), [("recurrent_gemma", "logits_soft_cap"), ("vaultgemma", None)]
)
def test_soft_capping_under_other_names(kind, name):
    config = AutoConfig.for_model(
        kind, vocab_size=61, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, lru_width=16, head_dim=8,
        **{name or "final_logit_softcapping": 2.0},
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).double().eval()
    assert str(require_agreement(model, IDS)) == "61 x 16, held below 2"


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
