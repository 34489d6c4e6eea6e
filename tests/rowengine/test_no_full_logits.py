"""What a run never makes: logits of more rows than asked for, nor a loss of the model's own."""

import pytest
import torch
from support import VOCABULARY, tiny_llama
from test_every_method import METHOD_NAMES
from torch.utils._python_dispatch import TorchDispatchMode
from trainers import lora, trainer

from unteach.head import head_of

ROWS = 4


class Watch(TorchDispatchMode):
    """Remembers the most rows that anything of the vocabulary's width had."""

    def __init__(self):
        super().__init__()
        self.rows = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for made in found if isinstance(found, (tuple, list)) else [found]:
            if not isinstance(made, torch.Tensor) or made.ndim < 2:
                continue
            head = made.shape == (16, VOCABULARY)  # transposed
            if made.shape[-1] == VOCABULARY and not head:
                self.rows = max(self.rows, made.numel() // VOCABULARY)
        return found


def test_the_watch_sees_whole_logits():
    with Watch() as watch:
        tiny_llama()(torch.zeros(3, 5, dtype=torch.long))
    assert watch.rows == 15


@pytest.mark.parametrize(
    ("name", "make"),
    [(name, tiny_llama) for name in METHOD_NAMES]
    + [(name, lora) for name in ("npo", "dto", "undial", "altpo", "loku", "pdu", "whp")],
)
def test_no_method_makes_more_logits_than_a_chunk(name, make, tmp_path, monkeypatch):
    """Before the first step, in the forward pass and in the backward pass; with adapters those
    methods that differ in what they read."""
    # Once, sixteen rows are compared with the model's own.
    monkeypatch.setattr("unteach.training.trainer.agreed_head", lambda model, pairs: "")
    monkeypatch.setattr("unteach.inference.scoring.known_head", lambda model, texts: head_of(model))
    monkeypatch.setattr("unteach.inference.rows.chunk_rows", lambda head, device: ROWS)
    run = trainer(name, tmp_path, model=make(), chunk_rows=ROWS, retain="kl")
    with Watch() as watch:
        run.train()
    assert 0 < watch.rows <= ROWS


def test_no_labels_are_passed_so_the_model_makes_no_loss_of_its_own(tmp_path):
    model, seen = tiny_llama(), []
    inner = model.forward

    def forward(*args, **options):
        seen.append(options)
        return inner(*args, **options)

    model.forward = forward
    trainer("undial", tmp_path, model=model, num_train_epochs=2).train()
    assert seen
    assert all(options.get("labels") is None for options in seen)
    assert model.forward is forward


@pytest.mark.parametrize(
    ("method", "retain", "weight", "passes"),
    [("undial", "nll", 1.0, 2), ("undial", "kl", 1.0, 3), ("ascent", "nll", 0.0, 1)],
)
def test_each_text_goes_through_the_model_once_a_step(
    method, retain, weight, passes, tmp_path, monkeypatch
):
    """And once before training where something is read of the model before; never at weight 0."""
    monkeypatch.setattr("unteach.training.trainer.agreed_head", lambda model, pairs: "")
    model, texts = tiny_llama(), []
    inner = model.forward

    def forward(input_ids, **options):
        texts.append(len(input_ids))
        return inner(input_ids=input_ids, **options)

    model.forward = forward
    run = trainer(method, tmp_path, model=model, retain=retain, retain_weight=weight)
    run.train()
    steps = 8 * (1 + (weight > 0))  # each forget text and its retain text
    before = {"undial": 8, "ascent": 0}[method] + (5 if retain == "kl" else 0)
    assert sum(texts) == steps + before
    assert len(texts) == passes
