"""Adapters: how they start, what FILA takes out, and what the folders hold."""

import pytest
import torch
from support import VOCABULARY, sequences, tiny_llama
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from unteach.adapters import (
    LoraSettings,
    add_lora,
    initialise_fila,
    merge,
    save_adapter,
    save_model,
)
from unteach.adapters.fila import fisher, row_weights, weighted_factors
from unteach.adapters.lora import linear_names, lora_layers
from unteach.nouns import UserError

FORGET, RETAIN = sequences(5, "forget"), sequences(7, "retain")
IDS = torch.tensor([[5, 9, 14, 3, 22, 41, 7]])


def tiny_gpt2(dtype=torch.float64):
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=0,
        eos_token_id=1, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0,
    )  # fmt: skip
    return GPT2LMHeadModel(config).to(dtype).eval()


MODELS = {"llama": tiny_llama, "gpt2": tiny_gpt2}


def logits(model) -> Tensor:
    with torch.no_grad():
        return model(IDS).logits


def train_a_little(model, steps=5):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(steps):
            for p in model.parameters():
                if p.requires_grad:
                    p += 0.02 * torch.randn(p.shape, generator=generator).to(p)


@pytest.mark.parametrize("kind", MODELS)
def test_adapters_go_on_every_linear_layer_but_the_head(kind):
    model = MODELS[kind]()
    names = linear_names(model)
    assert len(names) == {"llama": 14, "gpt2": 8}[kind]
    assert not any("lm_head" in name for name in names)
    before = logits(model)
    adapted = add_lora(model, LoraSettings(rank=4))
    assert len(lora_layers(adapted)) == len(names)
    torch.testing.assert_close(logits(adapted), before)
    assert all(layer.scaling["default"] == 2 for layer in lora_layers(adapted).values())


def test_targets_by_name():
    adapted = add_lora(tiny_llama(), LoraSettings(rank=2, targets=["q_proj", "v_proj"]))
    assert {name.rpartition(".")[2] for name in lora_layers(adapted)} == {"q_proj", "v_proj"}
    with pytest.raises(UserError, match=r'"q_prj".*\n.*Did you mean "q_proj"'):
        add_lora(tiny_llama(), LoraSettings(targets=["q_prj"]))


@pytest.mark.parametrize("kind", MODELS)
def test_fila_changes_nothing_at_the_start(kind):
    model = MODELS[kind]()
    before = logits(model)
    names = linear_names(model)
    weights = [dict(model.named_modules())[n].weight.clone() for n in names]
    adapted = add_lora(model, LoraSettings(rank=4))
    start = initialise_fila(adapted, FORGET, RETAIN)
    torch.testing.assert_close(logits(adapted), before, rtol=1e-9, atol=1e-9)
    layers = lora_layers(adapted)
    assert set(start.factors) == set(layers)
    for layer, weight in zip(layers.values(), weights, strict=True):
        assert not torch.allclose(layer.get_base_layer().weight, weight)
        assert not layer.get_base_layer().weight.requires_grad
        assert layer.lora_A["default"].weight.requires_grad
    assert {n for n, p in adapted.named_parameters() if p.requires_grad} == {
        n for n, _ in adapted.named_parameters() if "lora_" in n
    }


def test_half_precision_starts_where_it_was():
    """The base is corrected by the factors as they were cast, so only the last bits differ."""
    model = tiny_llama(dtype=torch.bfloat16)
    before = logits(model).float()
    adapted = add_lora(model, LoraSettings(rank=4))
    initialise_fila(adapted, FORGET, RETAIN)
    assert (logits(adapted).float() - before).abs().max() < 0.05 * before.abs().max()


def test_fisher_is_the_sum_over_samples_written_out():
    model = add_lora(tiny_llama(), LoraSettings(rank=2, targets=["q_proj"]))
    (name, other) = lora_layers(model)
    found = fisher(model, FORGET, [name, other])
    weight = lora_layers(model)[name].get_base_layer().weight
    weight.requires_grad_(True)
    total, tokens = torch.zeros_like(weight), 0
    for s in FORGET:
        logp = model(torch.tensor([s.ids])).logits[0].log_softmax(-1)
        places = [t for t, a in enumerate(s.answer) if a]
        loss = -sum(logp[t - 1, s.ids[t]] for t in places) / len(places)
        (grad,) = torch.autograd.grad(loss, [weight])
        total += len(places) * grad**2
        tokens += len(places)
    torch.testing.assert_close(found[name], (total / tokens).float(), rtol=1e-4, atol=1e-12)
    backwards = fisher(model, FORGET[::-1], [name])
    torch.testing.assert_close(backwards[name], found[name], rtol=1e-5, atol=1e-12)


def test_no_factors_of_that_rank_come_nearer_in_the_weighted_norm():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(9, 7, generator=generator, dtype=torch.float64)
    w = torch.rand(9, generator=generator, dtype=torch.float64) * 3 + 0.1
    a, b = weighted_factors(weight, w, rank=3, scaling=2.0)
    error = (w[:, None] * (weight - 2.0 * b @ a)).norm()
    tail = torch.linalg.svdvals(w[:, None] * weight)[3:].norm()
    torch.testing.assert_close(error, tail, rtol=1e-3, atol=1e-4)  # 1e-5 in the divisor
    for _ in range(20):
        da, db = (1e-2 * torch.randn(m.shape, generator=generator, dtype=m.dtype) for m in (a, b))
        assert (w[:, None] * (weight - 2.0 * (b + db) @ (a + da))).norm() > error


def test_equal_weights_give_the_plain_truncated_decomposition():
    weight = torch.randn(8, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a, b = weighted_factors(weight, torch.full((8,), 5.0, dtype=torch.float64), rank=2, scaling=1.0)
    u, s, vh = torch.linalg.svd(weight, full_matrices=False)
    torch.testing.assert_close(b @ a, u[:, :2] * s[:2] @ vh[:2], rtol=1e-4, atol=1e-4)


def test_large_weights_are_decomposed_alike_for_a_seed_and_near_the_best():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(600, 520, generator=generator) / torch.arange(1, 521)
    w = torch.ones(600)
    a, b = weighted_factors(weight, w, rank=4, scaling=1.0, seed=3)
    again = weighted_factors(weight, w, rank=4, scaling=1.0, seed=3)
    assert torch.equal(a, again[0])
    best = torch.linalg.svdvals(weight)[4:].norm()
    assert (weight - b @ a).norm() < 1.01 * best


def test_rows_that_no_forget_token_uses_give_numbers():
    weights = row_weights(torch.zeros(4, 3), torch.rand(4, 3))
    assert torch.equal(weights, torch.zeros(4))
    a, b = weighted_factors(torch.randn(4, 3), weights, rank=2, scaling=2.0)
    assert a.isfinite().all()
    assert b.isfinite().all()


def test_fila_needs_retain_data():
    with pytest.raises(UserError, match="there is none"):
        initialise_fila(add_lora(tiny_llama(), LoraSettings(rank=2)), FORGET, [])


def test_a_rank_above_the_layers_size_is_filled_up_with_nothing():
    model = tiny_llama()
    before = logits(model)
    adapted = add_lora(model, LoraSettings(rank=24))
    initialise_fila(adapted, FORGET, RETAIN)
    torch.testing.assert_close(logits(adapted), before, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("fila", [False, True])
def test_merged_export_loads_alone(kind, fila, tmp_path, tokenizer):
    adapted = add_lora(MODELS[kind](), LoraSettings(rank=4))
    if fila:
        initialise_fila(adapted, FORGET, RETAIN)
    train_a_little(adapted)
    after = logits(adapted)
    save_model(merge(adapted), tokenizer, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    torch.testing.assert_close(logits(loaded), after, rtol=1e-7, atol=1e-7)
    assert not list(tmp_path.glob("adapter*"))
    tied = loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    assert tied


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("fila", [False, True])
def test_adapters_alone_fit_the_original_base(kind, fila, tmp_path, tokenizer):
    from peft import PeftModel

    adapted = add_lora(MODELS[kind](), LoraSettings(rank=4))
    start = initialise_fila(adapted, FORGET, RETAIN) if fila else None
    train_a_little(adapted)
    after = logits(adapted)
    assert not torch.allclose(after, logits(MODELS[kind]()), atol=1e-3)
    save_adapter(adapted, tokenizer, tmp_path, start=start)
    loaded = PeftModel.from_pretrained(MODELS[kind](), str(tmp_path)).eval()
    torch.testing.assert_close(logits(loaded), after, rtol=1e-6, atol=1e-6)
    assert not (tmp_path / "model.safetensors").exists()


def test_the_checkpoints_dtype_is_kept_on_disk(tmp_path, tokenizer):
    save_model(tiny_llama(dtype=torch.float32), tokenizer, tmp_path, dtype="bfloat16")
    assert AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto").dtype == torch.bfloat16


def test_a_generation_config_that_contradicts_itself_is_no_obstacle(tmp_path, tokenizer):
    model = tiny_llama(dtype=torch.float32)
    model.generation_config.temperature = 0.6
    save_model(model, tokenizer, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert not loaded.generation_config.do_sample
    assert loaded.generation_config.eos_token_id == 1
    assert model.generation_config.temperature == 0.6


def test_a_broken_model_is_not_written(tmp_path, tokenizer):
    model = tiny_llama(dtype=torch.float32)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    with pytest.raises(UserError, match=r"first model.norm.weight"):
        save_model(model, tokenizer, tmp_path / "out")
    assert not (tmp_path / "out").exists()
