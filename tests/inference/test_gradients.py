"""The gradient's norm, against plain autograd on each text alone."""

import pytest
import torch
from families import FAMILIES
from support import sequences, tiny_llama
from torch.nn.functional import cross_entropy

from unteach.errors import UserError
from unteach.inference import gradient_norms, gradients, rows

TEXTS = sequences(5, "forget")


def by_autograd(model, text):
    model = model.requires_grad_(True)
    logits = model(torch.tensor([text.ids])).logits[0]
    at = torch.tensor([t for t, answer in enumerate(text.answer) if answer])
    loss = cross_entropy(logits[at - 1], torch.tensor(text.ids)[at])
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return sum(g.square().sum() for g in found if g is not None).sqrt().item()


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_are_those_of_plain_autograd(family, monkeypatch):
    """Two rows of logits at a time."""
    model = FAMILIES[family]()
    expected = [by_autograd(model, text) for text in TEXTS]
    monkeypatch.setattr(rows, "chunk_rows", lambda head, device: 2)
    assert gradient_norms(model, TEXTS) == pytest.approx(expected, rel=1e-9)


def test_models_with_an_unknown_rule_give_their_own_logits(monkeypatch):
    model = tiny_llama()
    expected = gradient_norms(model, TEXTS)
    monkeypatch.setattr(gradients, "known_head", lambda model, texts: None)
    assert gradient_norms(model, TEXTS) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("tied", [True, False])
def test_the_model_is_left_as_it_was(tied):
    model = tiny_llama(tied=tied)
    first, *others = model.parameters()
    first.grad = torch.ones_like(first)
    for weight in others[::2]:
        weight.requires_grad_(False)
    trained = [weight.requires_grad for weight in model.parameters()]
    found = gradient_norms(model, TEXTS)
    assert [weight.requires_grad for weight in model.parameters()] == trained
    assert torch.equal(first.grad, torch.ones_like(first))
    assert all(weight.grad is None for weight in others)
    assert found == pytest.approx([by_autograd(model, text) for text in TEXTS])  # of all weights


def test_only_one_gradient_is_held_at_a_time(monkeypatch):
    model, held = tiny_llama(tied=False), []
    norm = torch.linalg.vector_norm
    monkeypatch.setattr(
        gradients.torch.linalg,
        "vector_norm",
        lambda *a, **k: (held.append(sum(w.grad is not None for w in model.parameters())),
                         norm(*a, **k))[1],
    )  # fmt: skip
    gradient_norms(model, TEXTS[:1])
    assert held
    assert max(held) == 0  # each is taken off its weight, and no other has come yet


def test_half_precision_is_summed_in_float32():
    exact = gradient_norms(tiny_llama(), TEXTS)
    assert gradient_norms(tiny_llama(dtype=torch.bfloat16), TEXTS) == pytest.approx(exact, rel=0.05)


def test_packed_weights_have_none():
    model = tiny_llama()
    model.model.norm.weight = torch.nn.Parameter(torch.ones(16).to(torch.uint8), False)
    with pytest.raises(UserError, match="packed weights"):
        gradient_norms(model, TEXTS)


def test_progress_and_nothing_to_do():
    told = []
    gradient_norms(tiny_llama(), TEXTS, progress=lambda a, b: told.append((a, b)))
    assert told[0] == (1, 5)
    assert told[-1] == (5, 5)
    assert gradient_norms(tiny_llama(), []) == []
