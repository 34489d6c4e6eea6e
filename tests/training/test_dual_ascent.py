"""A retain weight that moves: dual ascent as the formula says, over cuts and interruptions."""

from itertools import pairwise

import pytest
from support import tiny_llama
from trainers import CUTS, FORGET, RETAIN, answer_logps, trainer

from unteach.adapters import LoraSettings, add_lora, initialise_fila
from unteach.errors import UserError
from unteach.methods import METHODS, build
from unteach.training.dual_ascent import DualAscent

PDU = build("pdu", {"tolerance": 0.01, "dual_rate": 3.0})


def alone(value):
    return value


def test_the_weight_moves_by_how_far_the_loss_is_above_the_bound():
    """1 + 2 x (3 - 1.5 x 1) = 4; then 4 + 2 x (0.2 - 1.5) = 1.4; then 1.4 - 3 < 0."""
    dual = DualAscent(build("pdu", {"tolerance": 0.5, "dual_rate": 2.0}), 1.0)
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
        dual = DualAscent(build(name, {}), 0.7)
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
