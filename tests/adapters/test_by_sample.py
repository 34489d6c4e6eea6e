"""Squared gradients of single samples from passes of batches, against a pass for each sample."""

from random import Random

import pytest
import torch
from families import FAMILIES
from support import VOCABULARY, tiny_llama

from unteach.adapters import LoraSettings, add_lora, by_sample
from unteach.adapters import fisher as module
from unteach.adapters.fisher import fisher
from unteach.adapters.lora import lora_layers
from unteach.types import Sequence

DRAWN = Random(0)


def text(number, prompt, answer, gap=0):
    """A text whose answer may have tokens in it that do not count."""
    mask = (False,) * prompt + (True,) * (answer - answer // 2) + (False,) * gap
    mask += (True,) * (answer // 2)
    ids = tuple(DRAWN.randrange(2, VOCABULARY) for _ in mask)
    return Sequence(f"text-{number}", ids, mask)


LENGTHS = [(1, 1), (2, 30), (9, 2), (25, 12), (3, 3), (40, 7), (1, 5)]
TEXTS = [text(k, *lengths, gap=k % 3) for k, lengths in enumerate(LENGTHS)]


def adapted(make=tiny_llama, dtype=torch.float64):
    return add_lora(make(dtype=dtype), LoraSettings(rank=2))


def one_by_one(model, texts, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "_by_sample", lambda *_: False)
        return fisher(model, texts, lora_layers(model))


def passes(model, monkeypatch, tokens=by_sample.TOKENS):
    """The Fisher information, and the rows of each forward."""
    monkeypatch.setattr(by_sample, "TOKENS", tokens)
    rows = []
    hook = model.register_forward_pre_hook(
        lambda _, args, given: rows.append(len(given["input_ids"])), with_kwargs=True
    )
    try:
        return fisher(model, TEXTS, lora_layers(model)), rows
    finally:
        hook.remove()


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_batch_gives_what_a_pass_for_each_sample_gives(kind, monkeypatch):
    model = adapted(FAMILIES[kind])
    expected = one_by_one(model, TEXTS, monkeypatch)
    found, rows = passes(model, monkeypatch)
    flattens = kind == "opt"  # its rows are tokens, so each sample has a pass of its own
    assert rows == [len(TEXTS), *[1] * (len(TEXTS) * flattens)]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert value.any()
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-6 * float(value.max()))


@pytest.mark.parametrize(("tokens", "rows"), [(1, [1] * 7), (100, [2, 3, 2])])
def test_how_samples_are_batched_changes_nothing(tokens, rows, monkeypatch):
    model = adapted()
    expected, _ = passes(model, monkeypatch)
    found, cut = passes(model, monkeypatch, tokens)
    assert cut == rows
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-6 * float(value.max()))


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_gradients_of_some_samples_at_a_time_change_nothing(samples, monkeypatch):
    model = adapted()
    expected, _ = passes(model, monkeypatch)
    largest = max(layer.get_base_layer().weight.numel() for layer in lora_layers(model).values())
    monkeypatch.setattr(by_sample, "ROOM", samples * largest * 8)
    found, _ = passes(model, monkeypatch)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=0)


def test_a_layer_that_is_called_twice_is_taken_sample_by_sample(monkeypatch):
    """Its gradient is the sum over both calls, and is squared only then."""

    def sharing(dtype):
        model = tiny_llama(dtype=dtype)
        model.model.layers[1].mlp = model.model.layers[0].mlp
        return model

    model = adapted(sharing)
    expected = one_by_one(model, TEXTS, monkeypatch)
    found, rows = passes(model, monkeypatch)
    assert rows == [len(TEXTS), *[1] * len(TEXTS)]
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_rows_that_are_no_samples_are_refused(monkeypatch):
    """Experts see tokens of any sample; here a layer that flattens its input does."""
    model = adapted()
    layer = lora_layers(model)["base_model.model.model.layers.0.mlp.up_proj"]
    usual = layer.forward
    layer.forward = lambda x: usual(x.flatten(0, 1)).unflatten(0, x.shape[:2])
    found, rows = passes(model, monkeypatch)
    assert rows == [len(TEXTS), *[1] * len(TEXTS)]
    expected = one_by_one(model, TEXTS, monkeypatch)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_layer_that_is_never_called_is_not_taken_for_one_without_a_gradient(monkeypatch):
    model = adapted()
    layer = lora_layers(model)["base_model.model.model.layers.0.mlp.up_proj"]
    layer.forward = lambda x: torch.nn.functional.linear(x, layer.get_base_layer().weight)
    found, _ = passes(model, monkeypatch)
    assert all(value.any() for value in found.values())


def test_a_large_vocabulary_makes_small_batches(monkeypatch):
    """Logits stay within the room that `chunk_rows` gives them."""
    model = adapted()
    monkeypatch.setattr(by_sample, "chunk_rows", lambda head, device: 1)
    _, rows = passes(model, monkeypatch)
    assert rows == [1] * len(TEXTS)


def test_no_weight_gets_a_gradient_and_all_is_restored(monkeypatch):
    model = adapted().train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    _, rows = passes(model, monkeypatch)
    assert rows == [len(TEXTS)]
    assert {name for name, p in model.named_parameters() if p.requires_grad} == trained
    assert all(p.grad is None for p in model.parameters())
    assert model.training
    assert not any(layer.get_base_layer()._forward_hooks for layer in lora_layers(model).values())


def test_samples_that_a_layer_sees_as_one_row_are_taken_one_by_one(monkeypatch):
    """Else the square of their sum would stand for the sum of their squares."""
    model = adapted()
    mlp = model.get_base_model().model.layers[0].mlp
    inner = mlp.forward
    mlp.forward = lambda x: inner(x.flatten(0, 1)[None]).view_as(x)
    expected = one_by_one(model, TEXTS, monkeypatch)
    found, rows = passes(model, monkeypatch)
    assert rows == [len(TEXTS), *[1] * len(TEXTS)]
    assert all(torch.allclose(found[name], value) for name, value in expected.items())
