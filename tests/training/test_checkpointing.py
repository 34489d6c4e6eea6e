"""Activations computed twice: the same gradients, and none that is missing."""

from functools import partial

import pytest
import torch
from families import FAMILIES, tiny_neox
from support import tiny_llama
from trainers import trainer

from unteach.adapters import LoraSettings, add_lora
from unteach.training.arguments import _checkpointing

MODELS = FAMILIES | {"untied llama": partial(tiny_llama, tied=False)}
REENTRANT = {"reentrant": True, "not reentrant": False}


def checkpointing(reentrant) -> dict:
    (name,) = _checkpointing(True)
    given = {name: True}
    return given if reentrant is None else {**given, f"{name}_kwargs": {"use_reentrant": reentrant}}


def model_of(family, adapters: bool, dropout: float):
    model = MODELS[family](dtype=torch.float32)  # in float64, padding breaks Gemma 2's attention
    return add_lora(model, LoraSettings(rank=2, dropout=dropout)) if adapters else model


def one_step(family, adapters, tmp_path, dropout=0.0, method="npo", **options):
    """What plain gradient descent takes off each parameter in one step."""
    model = model_of(family, adapters, dropout)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:  # at zero, A would have no gradient
                p.normal_(std=0.1)
    before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    trainer(method, tmp_path, model=model, retain="kl", seed=5, **options).train()
    moved = dict(model.named_parameters())
    return {name: moved[name].detach() - value for name, value in before.items()}


@pytest.mark.parametrize("adapters", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("family", MODELS)
def test_gradients_are_those_without(family, adapters, tmp_path):
    plain = one_step(family, adapters, tmp_path)
    for way, reentrant in REENTRANT.items():
        again = one_step(family, adapters, tmp_path, **checkpointing(reentrant))
        assert plain.keys() == again.keys()
        for name, step in plain.items():
            assert step.any(), name
            torch.testing.assert_close(
                again[name], step, rtol=1e-5, atol=1e-7, msg=lambda said, way=way: f"{way}: {said}"
            )


def test_dropout_is_drawn_again_as_it_was(tmp_path):
    plain = one_step("llama", True, tmp_path, dropout=0.5)
    again = one_step("llama", True, tmp_path, dropout=0.5, **checkpointing(None))
    undropped = one_step("llama", True, tmp_path)
    for name, step in plain.items():
        torch.testing.assert_close(again[name], step, rtol=1e-5, atol=1e-7)
    assert any(not torch.allclose(undropped[name], step) for name, step in plain.items())


@pytest.mark.parametrize("adapters", [False, True], ids=["full", "lora"])
def test_layers_are_computed_twice(adapters, tmp_path):
    """Else the tests above would compare a thing with itself."""
    calls = {}
    for name, options in {"plain": {}, "again": checkpointing(None)}.items():
        model, seen = model_of("llama", adapters, 0.0), []
        first = next(m for n, m in model.named_modules() if n.endswith("layers.0.input_layernorm"))
        first.register_forward_hook(lambda *_, seen=seen: seen.append(1))
        trainer("ascent", tmp_path, model=model, kept=[], **options).train()
        calls[name] = len(seen)
    assert calls["again"] == calls["plain"] + 1  # of the one step


@pytest.mark.parametrize("reentrant", [True, False])
def test_only_one_layer_trained(reentrant, tmp_path):
    """RMU freezes the embedding too, so no input of a checkpointed layer wants a gradient."""
    model = tiny_neox()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    trainer("rmu", tmp_path, model=model, **checkpointing(reentrant)).train()
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed
    assert all("layers.0.mlp" in name for name in changed)
