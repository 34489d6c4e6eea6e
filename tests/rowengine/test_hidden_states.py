"""RMU through the trainer: which weights move, and what its masked mean is."""

from dataclasses import fields

import pytest
import torch
from families import tiny_gpt2
from support import tiny_llama
from torch import Tensor
from trainers import CUTS, FORGET, RETAIN, trainer
from transformers import TrainerCallback

from unteach.adapters import LoraSettings, add_lora
from unteach.losses import control_vector
from unteach.methods import build
from unteach.training.config import UnlearningConfig

RMU = build("rmu", {"at": 1, "steering": 3.0})


def llama():
    return tiny_llama(layers=3)


def gpt2():
    return tiny_gpt2(layers=3)


OUTPUTS = {llama: ("down_proj.weight",), gpt2: ("mlp.c_proj.weight",)}


def state(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def states(model, sequence, layer) -> Tensor:
    """What leaves a layer at the answer tokens, taken by a hook of the test's own."""
    found = []
    inner = model.transformer.h if hasattr(model, "transformer") else model.model.layers
    hook = inner[layer].register_forward_hook(
        lambda module, args, out: found.append(out[0] if isinstance(out, tuple) else out)
    )
    model(torch.tensor([sequence.ids]))
    hook.remove()
    return torch.stack([h for h, a in zip(found[0][0], sequence.answer, strict=True) if a])


@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize("at", [0, 1])
def test_only_the_mlps_outputs_up_to_the_layer_move(make, at, tmp_path):
    method = build("rmu", {"at": at, "steering": 3.0})
    run = trainer(method, tmp_path, model=make(), num_train_epochs=2)
    before = state(run.model)
    run.train()
    changed = {n for n, p in state(run.model).items() if not torch.equal(p, before[n])}
    expected = {n for n in before if n.endswith(OUTPUTS[make]) and int(n.split(".")[2]) <= at}
    assert changed == expected
    assert len(changed) == at + 1
    assert all(p.requires_grad for p in run.model.parameters())


@pytest.mark.parametrize("make", [llama, gpt2])
def test_of_adapters_only_those_move(make, tmp_path):
    torch.manual_seed(0)
    model = add_lora(make(), LoraSettings(rank=2))
    before = state(model)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    run = trainer(RMU, tmp_path, model=model, num_train_epochs=2, learning_rate=1.0)
    run.train()
    changed = {n for n, p in state(run.model).items() if not torch.equal(p, before[n])}
    end = OUTPUTS[make][0].removesuffix(".weight")
    expected = {n for n in before if f".{end}.lora_" in n and ".2." not in n}
    assert changed == expected
    assert len(changed) == 4  # A and B of two layers
    assert {n for n, p in run.model.named_parameters() if p.requires_grad} == trained


@pytest.mark.parametrize("make", [llama, gpt2])
def test_the_masked_mean_is_that_of_a_plain_loop(make, tmp_path):
    """At a layer that is not the last, whose states are what leaves it."""
    method = build("rmu", {"at": 0, "steering": 3.0})
    goal = control_vector(16, length=3.0, seed=0).double()
    model = make()
    distances = [
        ((h - goal[0]) ** 2).sum().item() / 16 for s in FORGET for h in states(model, s, 0)
    ]
    assert len(distances) == sum(sum(s.answer) for s in FORGET)
    for batch, accumulation in CUTS:
        run = trainer(
            method, tmp_path, model=make(), per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation)  # fmt: skip
        run.train()
        (entry,) = [e for e in run.state.log_history if "forget" in e]
        assert entry["forget"] == pytest.approx(sum(distances) / len(distances), rel=1e-9)
        assert entry["retain"] < 1e-24  # the states of retain texts are where they were


def test_the_retain_term_is_a_distance_to_the_model_before(tmp_path):
    method = build("rmu", {"at": 0, "steering": 3.0})
    run = trainer(
        method, tmp_path, retain_weight=2.0, num_train_epochs=2, lr_scheduler_type="constant"
    )
    sampler = run._get_train_sampler()
    sampler.set_epoch(1)
    order = [pair.retain for pair in sampler]
    kept = {}

    class Second(TrainerCallback):
        def on_step_begin(self, args, state, control, model=None, **kwargs):
            kept[state.global_step] = [states(model, RETAIN[k], 0) for k in order]

    run.add_callback(Second())
    run.train()
    entry = [e for e in run.state.log_history if "retain" in e][1]
    apart = torch.cat([(a - b) ** 2 for a, b in zip(kept[1], kept[0], strict=True)])
    assert entry["retain"] == pytest.approx(2.0 * apart.mean().item(), rel=1e-6)
    assert entry["retain"] > 0


@pytest.mark.parametrize("method", ["rmu", "npo"])
def test_checkpointing_changes_nothing(method, tmp_path):
    names = {f.name for f in fields(UnlearningConfig)}
    new = "activation_checkpointing"
    option = new if new in names else "gradient_checkpointing"
    found = []
    for wanted in (False, True):
        run = trainer(
            RMU if method == "rmu" else method, tmp_path, sam=0.05, retain="hidden",
            num_train_epochs=2, **{option: True} if wanted else {})  # fmt: skip
        run.train()
        found.append(torch.cat([p.flatten() for p in state(run.model).values()]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-12)
