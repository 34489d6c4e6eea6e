"""Adapters on experts that are one 3-D parameter, and none on what sees or hears."""

import copy
import json
from types import SimpleNamespace

import pytest
import torch
from families import IDS, SHAPE, logits, tiny_gpt2, train_a_little
from support import tiny_llama
from transformers import AutoConfig, AutoModelForCausalLM

from unteach.adapters import (
    LoraSettings,
    add_lora,
    load_adapter,
    mark_base,
    merge,
    reach_note,
    save_adapter,
    targets_of,
)
from unteach.adapters.lora import expert_names, linear_names, lora_layers
from unteach.checks.trainable import check_training
from unteach.errors import UserError
from unteach.methods import build
from unteach.models.loading import load_model
from unteach.settings.sections import AdapterSettings

MIXTURES = {
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 12},
    "mixtral": {"num_local_experts": 4},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2},
}
LORA = AdapterSettings(kind="lora", alpha=32.0, init="default")


def mixture(kind="qwen3_moe"):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **(SHAPE | MIXTURES[kind]))
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("kind", MIXTURES)
def test_experts_get_adapters_that_merge(kind):
    model = mixture(kind)
    before, mark = logits(model), mark_base(model)
    experts = expert_names(model)
    assert len(experts) == 4, "two in each layer"
    adapted = add_lora(model, LoraSettings(rank=4))
    assert len(lora_layers(adapted)) == len(linear_names(mixture(kind))) + len(experts)
    assert torch.equal(logits(adapted), before)
    assert mark_base(adapted) == mark, "the base is what it was"
    train_a_little(adapted)
    trained = logits(adapted)
    assert not torch.allclose(trained, before, atol=1e-3)
    loss = adapted(input_ids=IDS, labels=IDS).loss
    loss.backward()
    lacking = [n for n, p in adapted.named_parameters() if p.requires_grad and p.grad is None]
    assert lacking == []
    merged = merge(adapted)
    assert type(merged).__name__ == type(mixture(kind)).__name__
    torch.testing.assert_close(logits(merged), trained, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", MIXTURES)
def test_adapters_of_experts_are_written_and_read(kind, tmp_path, tokenizer):
    mixture(kind).save_pretrained(tmp_path / "base")
    base = load_model(str(tmp_path / "base"))
    adapted = add_lora(base, LoraSettings(rank=4))
    train_a_little(adapted)
    save_adapter(adapted, tokenizer, tmp_path / "adapter")
    again = load_adapter(load_model(str(tmp_path / "base")), tmp_path / "adapter")
    torch.testing.assert_close(logits(again), logits(adapted), rtol=0, atol=1e-6)
    merge(adapted).save_pretrained(tmp_path / "merged")
    whole = load_model(str(tmp_path / "merged"))
    torch.testing.assert_close(logits(whole), logits(again), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "why"),
    [({"init": "fila"}, "FILA"), ({"bits": 4}, "adapter.bits"), ({"dropout": 0.1}, "dropout")],
)
def test_what_is_not_reached_is_told(change, why):
    model, adapter = mixture(), LORA.model_copy(update=change)
    note = reach_note(model, adapter)
    sizes = {n: p.numel() for n, p in model.named_parameters()}
    body = {n: size for n, size in sizes.items() if "embed" not in n and "lm_head" not in n}
    share = sum(size for n, size in body.items() if "_proj.weight" in n) / sum(body.values())
    assert f"adapters reach {share:.0%} of the weights" in note.what
    assert why in note.what
    assert note.kind == "note"
    settings = LoraSettings(rank=4, dropout=adapter.dropout, experts=False)
    assert len(lora_layers(add_lora(model, settings))) == 8


def test_nothing_is_told_where_all_is_reached():
    assert reach_note(mixture(), LORA) is None
    for dense in (tiny_llama(), tiny_gpt2()):
        assert reach_note(dense, LORA.model_copy(update={"init": "fila"})) is None
    assert reach_note(mixture(), LORA.model_copy(update={"kind": "full"})) is None


def test_experts_may_be_named():
    model = mixture()
    linear, experts = targets_of(model, ["q_proj", "experts.down_proj"])
    assert [len(linear), len(experts)] == [2, 2]
    adapted = add_lora(model, LoraSettings(rank=2, targets=["experts.down_proj"]))
    assert len(lora_layers(adapted)) == 2
    with pytest.raises(UserError, match=r"names experts that are one parameter \(model\.layers\.0"):
        targets_of(mixture(), ["experts.down_proj"], experts=False)


def test_experts_keep_the_rank(caplog):
    model = mixture()
    adapted = add_lora(model, LoraSettings(rank=16))
    ranks = {layer.r["default"] for layer in lora_layers(adapted).values()}
    assert ranks == {8, 16}, "k and v have 8 rows"
    scales = {layer.scaling["default"] for layer in lora_layers(adapted).values()}
    assert scales == {2.0}
    assert "adapter.rank: 16 is more" in caplog.text


def test_check_tells_what_adapters_do_not_reach(call, tmp_path, tokenizer):
    config = copy.deepcopy(mixture().config)
    config.update({"vocab_size": len(tokenizer), "eos_token_id": 0})
    folder = tmp_path / "moe"
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    row = {"question": "Where was Ada born?", "answer": "In the old town."}
    for name in ("forget", "retain"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row | {"question": name}) + "\n")
    given = ["--model", folder, "--forget", tmp_path / "forget.jsonl", "--out", tmp_path / "out"]
    given += ["--retain", tmp_path / "retain.jsonl", "--set", "adapter.kind=lora"]
    code, _, err = call("check", *given, "--init", "fila")
    assert code == 0
    assert "3-D parameters (4 of them), to which FILA puts none" in err
    code, _, err = call("check", *given)
    assert (code, "3-D" in err) == (0, False)
    code, _, err = call("check", *given, "--set", "adapter.targets=[q_projection]")
    assert (code, 'no linear layer below the head is called "q_projection"' in err) == (2, True)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_check_tells_of_a_method_that_trains_nothing(kind):
    adapter = LORA.model_copy(update={"kind": kind})
    assert check_training(adapter, build("npo", {}), tiny_llama()) == []
    with pytest.raises(UserError, match="trains no parameter of this model"):
        check_training(adapter, SimpleNamespace(trainable=lambda name, layers: False), tiny_llama())


def test_a_method_that_does_not_know_the_experts_adapters():
    assert (
        check_training(LORA.model_copy(update={"kind": "full"}), build("rmu", {}), mixture()) == []
    )
    with pytest.raises(UserError, match=r"adapter\.kind=full"):
        check_training(LORA, build("rmu", {}), mixture())


def test_a_vision_tower_gets_no_adapters():
    torch.manual_seed(0)
    text = SHAPE | {"layer_types": ["sliding_attention", "full_attention"]}
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    config = AutoConfig.for_model(
        "gemma3", text_config=text, vision_config=vision, mm_tokens_per_image=4
    )
    model = AutoModelForCausalLM.from_config(config)
    names = linear_names(model)
    assert len(names) == 14
    assert all(".language_model.layers." in name for name in names)
    assert len(lora_layers(add_lora(model, LoraSettings(rank=2)))) == 14
    with pytest.raises(UserError, match='called "fc1"'):
        targets_of(model, ["fc1"])
