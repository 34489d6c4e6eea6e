"""Adapters: how they start, what FILA takes out, and what the folders hold."""

import pytest
import torch
from families import MODELS, linears, logits, tiny_neox, train_a_little
from support import sequences, tiny_llama
from transformers import AutoModelForCausalLM, GenerationConfig

from unteach.adapters import (
    LoraSettings,
    add_lora,
    initialise_fila,
    merge,
    save_adapter,
    save_model,
)
from unteach.adapters.lora import linear_names, lora_layers
from unteach.errors import UserError

FORGET, RETAIN = sequences(5, "forget"), sequences(7, "retain")


@pytest.mark.parametrize("kind", MODELS)
def test_adapters_go_on_every_linear_layer_but_the_head(kind):
    model = MODELS[kind]()
    names = linear_names(model)
    assert len(names) == {"llama": 14, "gpt2": 8, "neox": 8}[kind]
    assert model.get_output_embeddings() not in linears(model).values()
    before = logits(model)
    adapted = add_lora(model, LoraSettings(rank=4))
    assert len(lora_layers(adapted)) == len(names)
    torch.testing.assert_close(logits(adapted), before)
    assert all(layer.scaling["default"] == 2 for layer in lora_layers(adapted).values())


def test_targets_by_whole_names():
    adapted = add_lora(tiny_llama(), LoraSettings(rank=2, targets=["q_proj", "v_proj"]))
    assert {name.rpartition(".")[2] for name in lora_layers(adapted)} == {"q_proj", "v_proj"}
    adapted = add_lora(tiny_neox(), LoraSettings(rank=2, targets=["dense"]))
    assert {name.rpartition(".")[2] for name in lora_layers(adapted)} == {"dense"}
    adapted = add_lora(tiny_neox(), LoraSettings(rank=2, targets=["layers.1.attention.dense"]))
    assert len(lora_layers(adapted)) == 1


def test_unknown_targets_are_named_together_with_the_layers_there_are():
    with pytest.raises(UserError, match=r'"q_prj".*\n.*Did you mean "q_proj".*v_proj') as caught:
        add_lora(tiny_llama(), LoraSettings(targets=["q_prj", "k_proj", "lm_head"]))
    assert len(caught.value.problems) == 2
    assert caught.value.exit_code == 2
    with pytest.raises(UserError, match="is empty"):
        add_lora(tiny_llama(), LoraSettings(targets=[]))


def test_alpha_and_dropout():
    adapted = add_lora(tiny_llama(), LoraSettings(rank=4, alpha=6, dropout=0.25))
    for layer in lora_layers(adapted).values():
        assert layer.scaling["default"] == 1.5
        assert layer.lora_dropout["default"].p == 0.25


@pytest.mark.parametrize("kind", MODELS)
def test_fila_changes_nothing_at_the_start(kind):
    model = MODELS[kind]()
    before = logits(model)
    weights = [layer.weight.clone() for layer in linears(model).values()]
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
    """The base is rounded once: each weight is off by half of bfloat16's last bit at most."""
    model = tiny_llama(dtype=torch.bfloat16)
    before = logits(model).float()
    weights = [layer.weight.float() for layer in linears(model).values()]
    adapted = add_lora(model, LoraSettings(rank=4))
    initialise_fila(adapted, FORGET, RETAIN)
    assert (logits(adapted).float() - before).abs().max() < 0.05 * before.abs().max()
    for layer, weight in zip(lora_layers(adapted).values(), weights, strict=True):
        base = layer.get_base_layer().weight.float()
        whole = base + 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        assert ((whole - weight).abs() <= base.abs() * 2**-8 + 1e-6).all()


def test_the_base_is_corrected_by_the_factors_as_they_were_cast():
    model = tiny_llama(dtype=torch.float32)
    weights = {f"base_model.model.{n}": m.weight.clone() for n, m in linears(model).items()}
    adapted = add_lora(model, LoraSettings(rank=4))
    layers = lora_layers(adapted)
    for layer in layers.values():
        layer.lora_A.bfloat16()
        layer.lora_B.bfloat16()
    initialise_fila(adapted, FORGET, RETAIN)
    for name, layer in layers.items():
        a, b = (m["default"].weight.float() for m in (layer.lora_A, layer.lora_B))
        whole = layer.get_base_layer().weight + 2 * b @ a
        torch.testing.assert_close(whole, weights[name], rtol=1e-6, atol=1e-6)


def test_a_seed_gives_the_same_start_and_max_samples_draws_fewer():
    def start(**options):
        model = add_lora(tiny_llama(), LoraSettings(rank=2, targets=["q_proj"]))
        told = []
        found = initialise_fila(
            model,
            FORGET,
            RETAIN,
            progress=lambda done, total: told.append((done, total)),
            **options,
        )
        return next(iter(found.factors.values()))[0], told

    first, told = start(seed=1)
    assert told[-1] == (10, 10)  # as many retain samples as forget samples
    assert torch.equal(first, start(seed=1)[0])
    assert not torch.equal(first, start(seed=2)[0])
    few, told = start(seed=1, max_samples=2)
    assert told[-1] == (4, 4)
    assert not torch.equal(few, first)


def test_fila_refuses_what_it_cannot_do():
    model = add_lora(tiny_llama(), LoraSettings(rank=2))
    with pytest.raises(UserError, match=r"there is none\n.*--retain, or set adapter.init=default"):
        initialise_fila(model, FORGET, [])
    with torch.no_grad():
        model.get_input_embeddings().weight[:] = float("inf")
    with pytest.raises(UserError, match="14 layers are no numbers"):
        initialise_fila(model, FORGET, RETAIN)


def test_quantised_weights_are_refused():
    model = add_lora(tiny_llama(), LoraSettings(rank=2, targets=["o_proj"]))
    base = next(iter(lora_layers(model).values())).get_base_layer()
    base.weight = torch.nn.Parameter(base.weight.to(torch.int8), requires_grad=False)
    with pytest.raises(UserError, match=r"quantised \(int8\)") as caught:
        initialise_fila(model, FORGET, [])
    assert len(caught.value.problems) == 2


def test_a_layer_that_no_forget_token_uses_keeps_an_adapter_that_can_train():
    model = tiny_llama()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.down_proj.weight.zero_()  # so nothing flows back to what is before it
    before = logits(model)
    adapted = add_lora(model, LoraSettings(rank=4, targets=["up_proj", "q_proj"]))
    initialise_fila(adapted, FORGET, RETAIN)
    torch.testing.assert_close(logits(adapted), before, rtol=1e-9, atol=1e-9)
    for name, layer in lora_layers(adapted).items():
        assert layer.lora_A["default"].weight.any(1).all()
        assert bool(layer.lora_B["default"].weight.any()) == name.endswith("q_proj")


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("fila", [False, True])
def test_a_rank_above_the_layers_size_is_cut_and_said(kind, fila, tmp_path, tokenizer, caplog):
    from peft import PeftModel

    model = MODELS[kind]()
    before = logits(model)
    adapted = add_lora(model, LoraSettings(rank=24))
    assert "24 is more than the size of" in caplog.text
    assert "their size, 16" in caplog.text
    layers = lora_layers(adapted)
    assert {layer.r["default"] for layer in layers.values()} == {16}
    assert {layer.scaling["default"] for layer in layers.values()} == {2}
    start = initialise_fila(adapted, FORGET, RETAIN) if fila else None
    torch.testing.assert_close(logits(adapted), before, rtol=1e-9, atol=1e-9)
    train_a_little(adapted)
    save_adapter(adapted, tokenizer, tmp_path, start=start)
    loaded = PeftModel.from_pretrained(MODELS[kind](), str(tmp_path)).eval()
    torch.testing.assert_close(logits(loaded), logits(adapted), rtol=1e-6, atol=1e-6)


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
    assert (tmp_path / "tokenizer.json").exists()
    tied = loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    assert tied == (kind != "neox")


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


def test_a_generation_config_that_contradicts_itself_is_written_as_it_is(tmp_path, tokenizer):
    model = tiny_llama(dtype=torch.float32)
    own = model.generation_config
    own.temperature, own.top_p = 0.6, 0.9
    with pytest.raises(ValueError, match="temperature"):
        own.save_pretrained(tmp_path / "refused")
    save_model(model, tokenizer, tmp_path)
    assert model.generation_config is own
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).generation_config
    assert not loaded.do_sample
    assert (loaded.temperature, loaded.top_p, loaded.eos_token_id) == (0.6, 0.9, 1)


def test_a_sound_generation_config_is_the_file_that_transformers_writes(tmp_path, tokenizer):
    model = tiny_llama(dtype=torch.float32)
    model.generation_config = GenerationConfig(do_sample=True, top_k=7, eos_token_id=[1, 3])
    model.save_pretrained(tmp_path / "theirs")
    save_model(model, tokenizer, tmp_path / "ours")
    ours, theirs = (tmp_path / n / "generation_config.json" for n in ("ours", "theirs"))
    assert ours.read_text() == theirs.read_text()


def test_a_broken_model_is_not_written(tmp_path, tokenizer):
    model = tiny_llama(dtype=torch.float32)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    with pytest.raises(UserError, match=r"first model.norm.weight"):
        save_model(model, tokenizer, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_broken_adapter_is_neither_merged_nor_written(tmp_path, tokenizer):
    adapted = add_lora(tiny_llama(dtype=torch.float32), LoraSettings(rank=2))
    with torch.no_grad():
        next(iter(lora_layers(adapted).values())).lora_B["default"].weight[0] = float("inf")
    with pytest.raises(UserError, match="1 weights are no numbers"):
        save_adapter(adapted, tokenizer, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="are no numbers"):
        merge(adapted)
