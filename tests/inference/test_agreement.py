"""A model for which reading prompts once is not right reads every text whole."""

import pytest
import torch
from families import FAMILIES
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from same_prompts import LONG, TEXTS, near, text
from support import tiny_llama
from transformers import AutoConfig, AutoModelForCausalLM

from unteach.inference import agreement, answer_tokens, caches, reading_once
from unteach.inference import shared_prompts as once
from unteach.inference.shared_prompts import SharedPromptReader


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_models_that_can_do_it_do(dtype):
    for name, make in FAMILIES.items():
        assert reading_once(make(dtype=dtype), TEXTS) is not None, name


def test_under_adapters():
    model = get_peft_model(tiny_llama(), LoraConfig(target_modules=["q_proj"])).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    found = answer_tokens(model, TEXTS, once=reading_once(model, TEXTS))
    near(found, answer_tokens(model, TEXTS), rtol=1e-5, atol=1e-5)
    assert reading_once(model, TEXTS) is not None


def test_one_model_that_cannot_is_enough(monkeypatch):
    """All processes decide alike, or they would have other batches."""
    assert reading_once(tiny_llama(), TEXTS, shared=True) is not None
    monkeypatch.setattr(agreement, "together", lambda work, **_: [work(), False])
    assert reading_once(tiny_llama(), TEXTS, shared=True) is None


SMALL = {
    "vocab_size": 61, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "bos_token_id": 0, "eos_token_id": 1,
    "pad_token_id": 1,
}  # fmt: skip
OTHERS = {
    "mamba": {},  # its forward takes no `past_key_values`
    "falcon_h1": {"mamba_d_ssm": 16, "mamba_n_heads": 2, "mamba_d_state": 4, "mamba_d_head": 8},
    "recurrent_gemma": {"lru_width": 16},
    "openai-gpt": {"n_embd": 16, "n_layer": 2, "n_head": 2},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_models_without_such_a_cache_read_whole_texts(kind):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SMALL | OTHERS[kind])
    assert reading_once(AutoModelForCausalLM.from_config(config).eval(), TEXTS) is None


def test_prompts_that_are_learned_stay_before_whole_texts():
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    assert reading_once(get_peft_model(tiny_llama(), config).eval(), TEXTS) is None


def test_a_head_with_an_unknown_rule_reads_whole_texts(monkeypatch):
    monkeypatch.setattr(agreement, "known_head", lambda model, texts: None)
    assert reading_once(tiny_llama(), TEXTS) is None


def test_a_model_that_says_nothing_reads_whole_texts():
    model = tiny_llama()
    torch.nn.init.constant_(model.model.norm.weight, float("nan"))
    assert reading_once(model, TEXTS) is None


def from_nought(model, attention, last):
    """Positions of an answer that begin anew."""
    return {"position_ids": torch.arange(last)[None]}


def with_padding(model, attention, last):
    """Positions that count the padding before a prompt."""
    return {"position_ids": torch.arange(attention.shape[1])[None, -last:]}


def one_early(*given):
    """The first answer token from the token before the prompt's last, and so on."""
    return STATES(*given).roll(1, dims=1)


def padding_seen(model, prompts, *given):
    return STATES(model, (prompts[0], torch.ones_like(prompts[1])), *given)


def first_prompt(model, prompts, which, *given):
    """Every answer behind the same prompt."""
    return STATES(model, prompts, 0 * which, *given)


STATES = once._states
FAULTS = {
    "from nought": ("positions", from_nought),
    "with padding": ("positions", with_padding),
    "one early": ("_states", one_early),
    "padding seen": ("_states", padding_seen),
    "first prompt": ("_states", first_prompt),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(fault, dtype, monkeypatch):
    """GPT-2 has positions of its own, to which Llama's rotations are blind but for a distance."""
    name, faulty = FAULTS[fault]
    monkeypatch.setattr(once if name == "_states" else caches, name, faulty)
    model = FAMILIES["gpt2"](dtype=dtype)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    assert reading_once(model, TEXTS) is None
    with pytest.raises(AssertionError):
        near(
            answer_tokens(model, TEXTS, once=SharedPromptReader(worth=0)),
            answer_tokens(model, TEXTS),
            rtol=0.1, atol=0.1,
        )  # fmt: skip


def test_a_window_that_is_shorter_than_the_longest_text_is_looked_at(monkeypatch):
    """The text that shows it has neither the longest prompt nor the shortest."""
    sizes = (5, 2), (20, 15), (30, 2)
    texts = [text(LONG[:n], [k] * size) for n, size in sizes for k in (6, 7)]
    seen = []
    monkeypatch.setattr(agreement, "_agree", lambda model, few, tokens: seen.extend(few))
    reading_once(tiny_llama(), texts)
    assert max(texts, key=lambda one: len(one.ids)) in seen
    assert len(seen) == 6
