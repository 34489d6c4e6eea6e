"""Two gradients of a step: their arithmetic by hand, and what a run makes of them."""

import math

import pytest
import torch
from support import tiny_llama
from torch import nn
from trainers import CUTS, FORGET, gradient, lora, moved, shift, trainer
from transformers import Trainer, TrainerCallback

from unteach.errors import UserError
from unteach.methods import build
from unteach.training import gradients
from unteach.training.gradients import TwoGradients, share_along
from unteach.training.trainer import UnlearningTrainer

METHOD = {
    "orthogonalize": "conflict",
    "hold": 1.0,
    "objective": "ascent",
    "suffix": "held",
}


def vectors(*numbers):
    return [None if n is None else torch.tensor(n, dtype=torch.float64) for n in numbers]


def two(push, hold, conflict="sum"):
    """Three weights of zero, the gradients of forgetting waiting, of holding in place."""
    made = TwoGradients([nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in push], conflict)
    made.waiting = vectors(*push)
    for p, g in zip(made.parameters, vectors(*hold), strict=True):
        p.grad = g
    return made


def grads(made):
    return [None if p.grad is None else p.grad.tolist() for p in made.parameters]


@pytest.mark.parametrize(
    ("push", "hold", "always", "share"),
    [
        (([1.0, -1.0],), ([0.0, 2.0],), False, -0.5),
        (([1.0, 1.0],), ([0.0, 2.0],), False, 0.0),
        (([1.0, 1.0],), ([0.0, 2.0],), True, 0.5),
        (([1.0, 0.0],), ([0.0, 2.0],), True, 0.0),
        (([1.0, -1.0],), ([0.0, 0.0],), True, 0.0),
        (([1.0, -1.0],), ([1e-7, 0.0],), True, 0.0),  # rounding errors have no direction
        (([1.0, -1.0],), ([0.0, 1e-5],), False, -1e5),
        (([0.0, 0.0],), ([0.0, 1.0],), True, 0.0),
        # One vector over all tensors: 1 x 3 - 2 x 2 = -1 of 3 x 3 + 2 x 2 = 13, a None being zero.
        (([1.0, 0.0], [0.0, -2.0], None), ([3.0, 0.0], [0.0, 2.0], None), False, -1 / 13),
        (([1.0, 0.0], None), (None, [5.0, 5.0]), True, 0.0),
    ],
)
def test_the_share_by_hand(push, hold, always, share):
    found = share_along(vectors(*push), vectors(*hold), always=always)
    assert found == pytest.approx(share)


def test_long_vectors_are_multiplied_in_pieces(monkeypatch):
    monkeypatch.setattr(gradients, "PIECE", 7)
    a, b = torch.randn(3, 11), torch.randn(3, 11)
    expected = (a * b).sum().item() / (b * b).sum().item()
    assert share_along([a], [b], always=True) == pytest.approx(expected, rel=1e-5)
    assert share_along([torch.zeros(0)], [torch.zeros(0)], always=True) == 0


@pytest.mark.parametrize(
    ("conflict", "expected"),
    [
        ("sum", [[1.0, 1.0], [3.0, 0.0], [0.0, 1.0], None]),
        # 1 x 0 - 1 x 2 = -2 of 2 x 2 + 1 x 1 = 5: less -0.4 of the holding, plus the holding.
        ("conflict", [[1.0, 1.8], [3.0, 0.0], [0.0, 1.4], None]),
        ("always", [[1.0, 1.8], [3.0, 0.0], [0.0, 1.4], None]),
    ],
)
def test_combine_by_hand(conflict, expected):
    made = two(
        ([1.0, -1.0], [3.0, 0.0], None, None), ([0.0, 2.0], None, [0.0, 1.0], None), conflict
    )
    made.combine()
    for found, wanted in zip(grads(made), expected, strict=True):
        assert found == (wanted if wanted is None else pytest.approx(wanted))
    assert made.waiting == [None] * 4


def test_forgetting_and_holding_that_agree_are_added():
    made = two(([1.0, 1.0],), ([0.0, 2.0],), "conflict")
    made.combine()
    assert grads(made) == [[1.0, 3.0]]


def test_swapping_twice_changes_nothing():
    made = two(([1.0, 0.0], None), ([0.0, 2.0], [1.0, 1.0]))
    made.swap()
    assert grads(made) == [[1.0, 0.0], None]
    made.swap()
    assert grads(made) == [[0.0, 2.0], [1.0, 1.0]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_climbing_and_back_is_exact(dtype):
    start = [torch.randn(5, 3).to(dtype), torch.randn(4).to(dtype), torch.randn(2).to(dtype)]
    made = TwoGradients([nn.Parameter(w.clone()) for w in start], "sum")
    slopes = [torch.randn(5, 3).to(dtype), torch.randn(4).to(dtype)]
    for p, g in zip(made.parameters, slopes, strict=False):
        p.grad = g.clone()
    kept = made.climb(0.5)
    assert all(p.grad is None for p in made.parameters)
    step = [p.detach().double() - w.double() for p, w in zip(made.parameters, start, strict=True)]
    rough = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2}[dtype]
    assert math.sqrt(sum(s.square().sum() for s in step)) == pytest.approx(0.5, rel=rough)
    assert not step[2].any()
    made.back(kept)
    for p, w in zip(made.parameters, start, strict=True):
        assert torch.equal(p.detach(), w)


@pytest.mark.parametrize("slope", [0.0, math.nan, math.inf])
def test_where_there_is_no_slope_nothing_moves(slope):
    """Also where a scaled loss was too large for float16: the scaler skips such a step."""
    made = TwoGradients([nn.Parameter(torch.tensor([1.0, 2.0]))], "sum")
    made.parameters[0].grad = torch.tensor([slope, 0.0])
    kept = made.climb(0.5)
    assert made.parameters[0].tolist() == [1.0, 2.0]
    made.back(kept)
    assert made.parameters[0].tolist() == [1.0, 2.0]


def losses(run, model):
    """The forget and the hold loss of all examples, from the formulas."""
    forget, kl = [], []
    first = lora() if hasattr(model, "peft_config") else tiny_llama()
    for k, s in enumerate(FORGET):
        z = model(torch.tensor([s.ids])).logits[0].log_softmax(-1)
        chosen = run.pairs.choices[k].chosen
        with torch.no_grad():
            before = first(torch.tensor([s.ids])).logits[0].log_softmax(-1)
        for t in (t for t, answer in enumerate(s.answer) if answer):
            if t in chosen:
                forget.append(z[t - 1, s.ids[t]].clamp(min=-12.0))
            else:
                kl.append((before[t - 1].exp() * (before[t - 1] - z[t - 1])).sum())
    return torch.stack(forget).mean(), torch.stack(kl).mean()


def dto_steps(tmp_path, make, conflict, steps, cut=(8, 1)):
    """The update of the last step, and both gradients where it began."""
    method = build("dto", {**METHOD, "orthogonalize": conflict})
    batch, accumulation = cut
    run = trainer(
        method, tmp_path, model=make(), kept=None, num_train_epochs=steps,
        lr_scheduler_type="constant", per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation, stop_at=0)  # fmt: skip
    starts = []

    class Before(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            starts.append(moved(run.model).clone())

    run.add_callback(Before())
    run.train()
    end = moved(run.model).clone()
    shift(run.model, starts[-1] - end)
    found = [gradient(run.model, loss) for loss in losses(run, run.model)]
    return (starts[-1] - end) / 1e-2, *found


@pytest.mark.parametrize("make", [tiny_llama, lora], ids=["full", "lora"])
@pytest.mark.parametrize("conflict", ["conflict", "always"])
def test_what_forgetting_adds_stands_upright_on_holding(make, conflict, tmp_path):
    """From the second step on the KL has a gradient, and here it is against the targets'."""
    update, push, hold = dto_steps(tmp_path, make, conflict, 3)
    added = update - hold
    assert hold.norm() > 1e-3
    assert push @ hold < 0
    assert (added @ hold).abs() < 1e-9 * added.norm() * hold.norm()
    assert added @ push >= 0
    torch.testing.assert_close(added, push - (push @ hold) / (hold @ hold) * hold)


def test_off_is_the_sum(tmp_path):
    update, push, hold = dto_steps(tmp_path, tiny_llama, "off", 3)
    torch.testing.assert_close(update, push + hold)


@pytest.mark.parametrize("make", [tiny_llama, lora], ids=["full", "lora"])
def test_the_cut_changes_nothing(make, tmp_path):
    whole = dto_steps(tmp_path, make, "conflict", 3)[0]
    for cut in CUTS[1:]:
        other = dto_steps(tmp_path, make, "conflict", 3, cut)[0]
        torch.testing.assert_close(other, whole, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("sharded", ["is_deepspeed_enabled", "is_fsdp_enabled"])
@pytest.mark.parametrize("name", ["npo", "task-vector", "dto"])
def test_sharded_training_is_refused_where_it_would_be_wrong(sharded, name, tmp_path, monkeypatch):
    monkeypatch.setattr(
        UnlearningTrainer, "create_accelerator_and_postprocess", _sharded(sharded), raising=True
    )
    method = build("dto", METHOD) if name == "dto" else name
    sam = 0.01 if name == "npo" else 0.0
    with pytest.raises(UserError, match="plain data parallelism"):
        trainer(method, tmp_path, sam=sam)


def _sharded(name):
    real = Trainer.create_accelerator_and_postprocess

    def create(self):
        real(self)
        setattr(self, name, True)

    return create
