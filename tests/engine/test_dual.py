"""A retain weight that moves: dual ascent as the formula says, over cuts and interruptions."""

import json
import math
from itertools import pairwise

import pytest
import torch
from support import tiny_llama
from trainers import CUTS, FORGET, RETAIN, answer_logps, trainer, weights
from transformers import TrainerCallback

from unteach.adapters import LoraSettings, add_lora, initialise_fila
from unteach.engine.dual import Dual
from unteach.engine.monitor import Monitor
from unteach.engine.resume import FILE, Carried
from unteach.methods import METHODS, build
from unteach.nouns import UserError

PDU = build("pdu", {"tolerance": 0.01, "dual_rate": 3.0})


def alone(value):
    return value


def test_the_weight_moves_by_how_far_the_loss_is_above_the_bound():
    """1 + 2 x (3 - 1.5 x 1) = 4; then 4 + 2 x (0.2 - 1.5) = 1.4; then 1.4 - 3 < 0."""
    dual = Dual(build("pdu", {"tolerance": 0.5, "dual_rate": 2.0}), 1.0)
    dual.before = 1.0
    dual.see(1.0)
    dual.see(2.0)
    dual.step(alone)
    assert dual.weight == pytest.approx(4)
    dual.see(0.2)
    dual.step(alone)
    assert dual.weight == pytest.approx(1.4)
    dual.step(alone)
    assert dual.weight == 0
    dual.see(9.0)
    dual.step(lambda value: 2 * value)  # the same on another process
    assert dual.weight == pytest.approx(2 * (18 - 1.5))


def test_all_other_methods_leave_it():
    for name in METHODS:
        dual = Dual(build(name, {}), 0.7)
        dual.see(5.0)
        dual.step(alone)
        assert dual.moves == (name == "pdu")
        assert dual.weight == 0.7 or dual.moves


def logged(run):
    return [entry for entry in run.state.log_history if "retain_weight" in entry]


def bound(model):
    tokens = sum(sum(s.answer) for s in RETAIN)
    return -answer_logps(model, RETAIN).sum().item() / tokens


@pytest.mark.parametrize("retain", ["nll", "kl"])
def test_a_run_follows_the_formula(retain, tmp_path):
    """The term's own value is what is logged over the weight that it was taken with."""
    run = trainer(PDU, tmp_path, retain=retain, num_train_epochs=4, lr_scheduler_type="constant")
    run.train()
    before = bound(tiny_llama()) if retain == "nll" else 0.0
    assert run.dual.before == pytest.approx(before, rel=1e-6)
    used = [1.0, *(entry["retain_weight"] for entry in logged(run))]
    assert len(used) == 5
    for (weight, after), entry in zip(pairwise(used), logged(run), strict=True):
        value = entry["retain"] / weight
        assert after == pytest.approx(max(0, weight + 3 * (value - 1.01 * before)), abs=1e-5)
    assert len(set(used)) > 2


def test_the_bound_is_of_the_model_before_also_under_fila(tmp_path):
    policy = add_lora(tiny_llama(), LoraSettings(rank=2))
    initialise_fila(policy, FORGET, RETAIN)
    run = trainer(PDU, tmp_path, model=policy)
    run.train()
    assert run.dual.before == pytest.approx(bound(tiny_llama()), rel=1e-6)


@pytest.mark.parametrize("sam", [0.0, 0.05])
def test_the_cut_changes_nothing(sam, tmp_path):
    found = []
    for batch, accumulation in CUTS:
        run = trainer(
            PDU,
            tmp_path,
            sam=sam,
            num_train_epochs=3,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation,
        )
        run.train()
        found.append([entry["retain_weight"] for entry in logged(run)])
    assert len(found[0]) == 3
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-6)


def test_neither_does_how_many_rows_are_held(tmp_path):
    found = []
    for rows in (None, 2):
        run = trainer(PDU, tmp_path, num_train_epochs=3, chunk_rows=rows)
        run.train()
        found.append([entry["retain_weight"] for entry in logged(run)])
    assert found[1] == pytest.approx(found[0], rel=1e-6)


def test_a_weight_that_begins_at_nothing_still_grows(tmp_path):
    run = trainer(PDU, tmp_path, retain="kl", retain_weight=0.0, num_train_epochs=5)
    run.train()
    assert run.retain_name == "kl"
    assert run.dual.weight > 0
    fixed = trainer("npo", tmp_path, retain_weight=0.0)
    assert fixed.retain_name == "none"


def test_without_retain_data_there_is_nothing_to_be_bound_by(tmp_path):
    with pytest.raises(UserError, match="there is no retain term"):
        trainer(PDU, tmp_path, kept=None)


class Cut(TrainerCallback):
    """The machine goes down once that many steps are done and saved."""

    def __init__(self, step):
        self.step = step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


OPTIONS = {"pdu": {}, "npo": {"sam": 0.05}, "dto": {}}
STEPS = {
    "num_train_epochs": 5,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
    "optim": "adamw_torch",
    "save_strategy": "steps",
    "save_steps": 1,
    "stop_at": 0,
}


def go_on(make, folder):
    """Two steps a pass; cut in the middle of the second pass, after step 3."""
    broken = make(folder)
    broken.add_callback(Cut(3))
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    again = make(folder)
    again.train(resume_from_checkpoint=True)
    return again


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("adapters", [False, True], ids=["full", "lora"])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(name, adapters, tmp_path):
    def make(folder):
        torch.manual_seed(3)
        model = add_lora(tiny_llama(), LoraSettings(rank=2)) if adapters else tiny_llama()
        method = PDU if name == "pdu" else name
        return trainer(method, folder, model=model, **{**STEPS, **OPTIONS[name]})

    whole = make(tmp_path / "whole")
    whole.train()
    again = go_on(make, tmp_path / "cut")
    assert again.state.global_step == whole.state.global_step == 10
    assert again.dual.weight == pytest.approx(whole.dual.weight, rel=1e-9)
    assert again.monitor.probability == pytest.approx(whole.monitor.probability, rel=1e-9)
    torch.testing.assert_close(weights(again.model), weights(whole.model), rtol=1e-9, atol=1e-12)


def test_a_resumed_run_stops_where_an_uninterrupted_one_does(tmp_path):
    """At step 4, by what the step before the cut saw of the other half of the answers."""
    whole = trainer("ascent", tmp_path / "whole", **STEPS)
    whole.train()
    third, fourth = (e["forget_probability"] for e in whole.state.log_history[2:4])
    limit = {**STEPS, "stop_at": (third + fourth) / 2}
    again = go_on(lambda folder: trainer("ascent", folder, **limit), tmp_path / "cut")
    assert again.state.global_step == 4
    assert "train.stop_at" in again.monitor.reason


def carried(weight=1.0):
    return Carried(Dual(PDU, weight), Monitor(3, None))


def saved(folder, one, step=7):
    from types import SimpleNamespace

    args = SimpleNamespace(output_dir=str(folder))
    state = SimpleNamespace(global_step=step, is_world_process_zero=True)
    one.on_save(args, state, None)


def test_what_a_checkpoint_holds(tmp_path):
    one = carried(2.5)
    one._monitor.see({0: 0.25, 2: 0.5})
    saved(tmp_path, one)
    assert not list(tmp_path.iterdir())  # no checkpoint was written here
    (tmp_path / "checkpoint-7").mkdir()
    saved(tmp_path, one)
    held = json.loads((tmp_path / "checkpoint-7" / FILE).read_text())
    assert held == {"before": "", "retain_weight": 2.5, "probabilities": {"0": 0.25, "2": 0.5}}
    for checkpoint in (True, str(tmp_path / "checkpoint-7")):
        other = carried()
        other.load(checkpoint, str(tmp_path))
        assert other._dual.weight == 2.5
        assert other._monitor.last == {0: 0.25, 2: 0.5}
    other = carried()
    for nothing in (None, False):
        other.load(nothing, str(tmp_path))
    assert other._dual.weight == 1.0


def test_half_a_checkpoint_is_refused(tmp_path):
    (tmp_path / "checkpoint-7").mkdir()
    with pytest.raises(UserError, match="half written"):
        carried().load(str(tmp_path / "checkpoint-7"), str(tmp_path))
    assert math.isfinite(carried()._dual.weight)


@pytest.mark.parametrize("other", ["model", "data"])
def test_a_checkpoint_of_another_model_or_other_data_is_refused(other, tmp_path):
    """What is read of the model before would be of a model that the run did not begin with."""
    broken = trainer("npo", tmp_path, **STEPS)
    broken.add_callback(Cut(3))
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    changed = {"model": tiny_llama(seed=1)} if other == "model" else {"forget": FORGET[::-1]}
    again = trainer("npo", tmp_path, **STEPS, **changed)
    with pytest.raises(UserError, match="another model, or on other data"):
        again.train(resume_from_checkpoint=True)


def test_a_trainer_that_has_moved_its_model_does_not_go_on_by_itself(tmp_path):
    run = trainer("npo", tmp_path, **STEPS)
    run.add_callback(Cut(3))
    with pytest.raises(KeyboardInterrupt):
        run.train()
    with pytest.raises(UserError, match="another model"):
        run.train(resume_from_checkpoint=True)
