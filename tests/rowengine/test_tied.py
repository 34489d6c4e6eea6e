"""A tied embedding's gradient is added to the head's, and nothing else changes by it."""

from typing import Any

import pytest
import torch
from families import tiny
from support import tiny_llama
from trainers import RETAIN, trainer

from unteach.rowengine import chunked_loss, tied

MODELS = {
    "llama": lambda: tiny_llama(dtype=torch.float32),
    "gemma3_text": lambda: tiny("gemma3_text", torch.float32, tie_word_embeddings=True),
}


def trained(make, method, folder, **options):
    """The weights after some steps."""
    model = make()
    trainer(method, folder, model=model, kept=RETAIN, **options).train()
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("method", ["npo", "undial", "graddiff"])
def test_all_weights_end_the_same_bit_for_bit(kind, method, tmp_path, monkeypatch):
    carried = []

    def watched(*args):
        carried.append(tied.carrier_to(*args))
        return carried[-1]

    monkeypatch.setattr(chunked_loss, "carrier_to", watched)
    options = {
        "retain": "nll", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2,
    }  # fmt: skip
    found = trained(MODELS[kind], method, tmp_path / "one", **options)
    assert carried
    assert all(carrier is not None and carrier.gradient is None for carrier in carried)
    monkeypatch.setattr(tied, "_tied_embedding", lambda model: None)
    expected = trained(MODELS[kind], method, tmp_path / "two", **options)
    assert carried[-1] is None
    before = dict(MODELS[kind]().named_parameters())
    assert any(not torch.equal(expected[name], before[name]) for name in expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_model_is_left_as_it_was():
    model: Any = tiny_llama(dtype=torch.float32)
    embedding = model.get_input_embeddings()
    with tied.one_gradient(model):
        assert embedding.sparse
        assert embedding.weight is not model.get_output_embeddings().weight
    assert not embedding.sparse
    assert embedding.weight is model.get_output_embeddings().weight
    assert tied.CURRENT.get() is None


def test_the_head_keeps_its_gradient_where_the_states_do_not_come_from_the_embedding():
    model: Any = tiny_llama(dtype=torch.float32)
    weight = model.get_output_embeddings().weight
    with tied.one_gradient(model):
        apart = torch.zeros(2, 16, requires_grad=True) * 2
        states = model(input_ids=torch.tensor([[3, 4]]), output_hidden_states=True).hidden_states
        assert tied.carrier_to(weight, [apart]) is None
        assert tied.carrier_to(weight, []) is None
        assert tied.carrier_to(weight, [states[-1], apart]) is None
        assert tied.carrier_to(weight, [states[-1]]) is not None
        assert tied.carrier_to(torch.zeros(2), [states[-1]]) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: tiny_llama(dtype=torch.float32, tied=False),
        lambda: tiny_llama(dtype=torch.bfloat16),
        lambda: tiny_llama(dtype=torch.float32).requires_grad_(False),
    ],
)
def test_other_models_are_left_alone(make):
    model = make()
    with tied.one_gradient(model):
        assert tied.CURRENT.get() is None


class OneHot(torch.nn.Embedding):
    """An embedding that looks rows up by a product, so that its gradient is dense."""

    def forward(self, ids):
        chosen = torch.nn.functional.one_hot(ids, self.num_embeddings)
        return chosen.to(self.weight.dtype) @ self.weight


def test_a_lookup_of_another_kind_keeps_the_heads_gradient(tmp_path, monkeypatch):
    def trained(name):
        model = tiny_llama(dtype=torch.float32)
        model.get_input_embeddings().__class__ = OneHot
        trainer("npo", tmp_path / name, model=model, kept=RETAIN, retain="nll").train()
        return model.get_input_embeddings().weight.detach()

    found = trained("one")
    monkeypatch.setattr(tied, "_tied_embedding", lambda model: None)
    assert torch.equal(found, trained("two"))
