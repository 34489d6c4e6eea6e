"""Runs that were cut off, and what they go on from."""

import json
import os
import shutil
from typing import Any

import pytest
import torch
from support import tiny_llama
from trainers import FORGET, trainer, weights
from transformers import TrainerCallback

from unteach.adapters import LoraSettings, add_lora
from unteach.errors import UserError
from unteach.files.hashes import SEAL, hashes, read_sealed, write_sealed
from unteach.methods import build
from unteach.training.resume import checkpoints
from unteach.training.resume.checkpoints import (
    FILE,
    CheckpointPace,
    WholeCheckpoint,
    lacking,
    newest,
)

PDU = build("pdu", {"tolerance": 0.01, "dual_rate": 3.0})


class Cut(TrainerCallback):
    """The machine goes down once that many steps are done and saved."""

    def __init__(self, step):
        self.step = step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


OPTIONS = {"pdu": {}, "npo": {"sam": 0.05}, "dto": {}}
STEPS = {
    "num_train_epochs": 5, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2,
    "optim": "adamw_torch", "save_strategy": "steps", "save_steps": 1, "stop_at": 0}  # fmt: skip


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
    def make(folder, **more):
        torch.manual_seed(3)
        model = add_lora(tiny_llama(), LoraSettings(rank=2)) if adapters else tiny_llama()
        method = PDU if name == "pdu" else name
        options = {**STEPS, "num_train_epochs": 3, **OPTIONS[name], **more}
        return trainer(method, folder, model=model, **options)

    whole = make(tmp_path / "whole", save_strategy="no")
    whole.train()
    again = go_on(make, tmp_path / "cut")
    assert again.state.global_step == whole.state.global_step == 6
    for name in ("norms", "first", "stepped", "skipped"):
        assert again.guard.seen[name] == pytest.approx(whole.guard.seen[name], rel=1e-9), name
    assert again.dual.weight == pytest.approx(whole.dual.weight, rel=1e-9)
    assert again.monitor.probability == pytest.approx(whole.monitor.probability, rel=1e-9)
    assert (again.monitor.passes, again.monitor.since) == (
        whole.monitor.passes,
        whole.monitor.since,
    )
    assert whole.monitor.passes
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


def test_a_gradient_that_explodes_after_a_cut_is_seen_to(tmp_path):
    """By the median of the steps before the cut."""

    def explode(gradient):
        return gradient * 1e9

    def make(folder):
        run = trainer("npo", folder, **STEPS)
        if any(folder.glob("checkpoint-*")):  # it goes on
            for parameter in run.model.parameters():
                parameter.register_hook(explode)
        return run

    with pytest.raises(UserError, match=r"step 4: the gradient's norm is .* of the steps before"):
        go_on(make, tmp_path / "cut")


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


def test_what_had_ended_makes_no_step_more(tmp_path):
    """By its number of steps, which is no whole number of passes, and by what it had forgotten."""
    cases = {"steps": {"num_train_epochs": 2.5}, "early": {"stop_at": 0.9}}
    cases["both"] = {"stop_at": 0.9, "num_train_epochs": 1}
    for folder, more in cases.items():
        whole = trainer("ascent", tmp_path / folder, **{**STEPS, **more})
        whole.train()
        assert whole.state.global_step in (2, 5)
        again = trainer("ascent", tmp_path / folder, **{**STEPS, **more})
        again.train(resume_from_checkpoint=True)
        assert again.state.global_step == whole.state.global_step
        assert again.monitor.reason == whole.monitor.reason
        assert bool(whole.monitor.reason) == ("stop_at" in more)
        assert torch.equal(weights(again.model), weights(whole.model))


def folder_of(tmp_path, keep=3, steps=3):
    """A run's checkpoints, one a step."""
    run = trainer("npo", tmp_path / "run", **STEPS, save_total_limit=keep, max_steps=steps)
    run.train()
    return tmp_path / "run"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three checkpoints, to be copied."""
    return folder_of(tmp_path_factory.mktemp("three"))


def test_a_checkpoint_lists_what_it_holds(tmp_path):
    folder = folder_of(tmp_path)
    assert {p.name for p in folder.iterdir()} == {f"checkpoint-{k}" for k in (1, 2, 3)}
    held = json.loads((folder / "checkpoint-3" / FILE).read_text())
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        assert held["files"][name][0] == (folder / "checkpoint-3" / name).stat().st_size
    carried = {
        "salt",
        "before",
        "retain_weight",
        "probabilities",
        "passes",
        "since",
        "ended",
        "guard",
    }
    assert set(held) == {*carried, "files", SEAL}
    assert set(held["probabilities"]) == {str(k) for k in range(8)}
    other = json.loads((folder / "checkpoint-2" / FILE).read_text())
    assert other["before"] != held["before"]  # salted: equal data are not seen to be equal
    assert newest(folder) == folder / "checkpoint-3"


FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth",
         "trainer_state.json", FILE)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "torn"),
    [(name, torn) for name in FILES for torn in ("missing", "flipped")]
    + [("model.safetensors", "torn"), (FILE, "torn")],
)
def test_what_is_not_whole_is_passed_over_and_told(name, torn, three, tmp_path):
    folder, told = shutil.copytree(three, tmp_path / "run"), []
    file = folder / "checkpoint-3" / name
    whole = file.read_bytes()
    middle = len(whole) // 2
    if torn == "flipped":
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    else:
        file.write_bytes(whole[:middle]) if torn == "torn" else file.unlink()
    assert newest(folder, told.append) == folder / "checkpoint-2"
    assert [(p.where, p.kind) for p in told] == [(str(file.parent), "note")]
    again = trainer("npo", folder, **STEPS, max_steps=3)
    said = f"{name} is not as" if torn == "flipped" else f"lacks {name}"
    with pytest.raises(UserError, match="as it was written" if name == FILE else said):
        again.train(resume_from_checkpoint=str(folder / "checkpoint-3"))
    again.train(resume_from_checkpoint=True)
    assert again.state.global_step == 3
    assert lacking(folder / "checkpoint-3") == ""


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_what_cannot_be_loaded_is_passed_over_though_it_is_as_it_was_written(name, tmp_path):
    """Else the crash would come again with every start."""
    folder = folder_of(tmp_path, steps=2)
    last = folder / "checkpoint-2"
    (last / name).write_bytes(b"of another release")
    held = read_sealed(last / FILE)
    assert held
    held["files"][name] = hashes(last, FILE)[name]
    write_sealed(last / FILE, held)
    assert f"{name} cannot be loaded" in lacking(last)
    again = trainer("npo", folder, **STEPS, max_steps=2)
    again.train(resume_from_checkpoint=True)
    assert again.state.global_step == 2


def test_a_checkpoint_is_read_once_before_a_run_goes_on(tmp_path, monkeypatch):
    """And not again to find out whether it may: 70 billion weights take minutes."""
    folder, read = folder_of(tmp_path, steps=2), []
    usual = checkpoints.damage
    monkeypatch.setattr(checkpoints, "damage", lambda *given: read.append(given) or usual(*given))
    found = newest(folder)
    assert found
    again = trainer("npo", folder, **STEPS, max_steps=2)
    again.train(resume_from_checkpoint=WholeCheckpoint(found))
    assert len(read) == 1


def test_where_none_is_whole_it_says_so(tmp_path):
    run = trainer("npo", tmp_path, **STEPS)
    with pytest.raises(UserError, match="no whole checkpoint"):
        run.train(resume_from_checkpoint=True)


def test_weights_alone_are_not_enough(tmp_path):
    """A run that goes on without its optimizer's state becomes another one, and says nothing."""
    run = trainer("npo", tmp_path, **STEPS, save_only_model=True)
    run.train()
    assert newest(tmp_path) is None
    with pytest.raises(UserError, match="no state of the optimizer"):
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))


class Stop(Exception):
    pass


def test_cut_off_anywhere_while_saving_the_one_before_stays(monkeypatch, tmp_path):
    """Between any two things that are done to files as the second checkpoint takes its place."""
    steps = [("flush", checkpoints, "flush"), ("list", checkpoints, "write_sealed"),
             ("name", os, "replace"), ("clear", shutil, "rmtree")]  # fmt: skip
    whole = trainer("npo", tmp_path / "whole", **{**STEPS, "save_strategy": "no"}, max_steps=2)
    whole.train()
    for name, module, function in steps:
        folder = tmp_path / name
        run = trainer("npo", folder, **STEPS, save_total_limit=1, max_steps=2)
        usual: Any = getattr(module, function)

        def cut(path, *rest, usual=usual, **more):
            if "checkpoint-2" in str(path):
                raise Stop
            return usual(path, *rest, **more)

        with monkeypatch.context() as patch:
            patch.setattr(module, function, cut)
            with pytest.raises(Stop):
                run.train()
        assert newest(folder) == folder / "checkpoint-1", name
        again = trainer("npo", folder, **STEPS, save_total_limit=1, max_steps=2)
        again.train(resume_from_checkpoint=True)
        assert torch.equal(weights(again.model), weights(whole.model)), name


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


def test_by_the_clock_saving_takes_a_twentieth_of_the_time_at_most(monkeypatch):
    """Asked for each 60 s; one that takes 9 s is followed by 180 s without."""
    from types import SimpleNamespace

    clock = Clock()
    monkeypatch.setattr(checkpoints, "time", clock)
    pace, saved = CheckpointPace(None, 1.0, ""), []
    for step in range(1, 60):
        control = SimpleNamespace(should_save=False, should_training_stop=step == 59)
        clock.now = 10.0 * step + 9 * len(saved)
        pace.on_step_end(None, SimpleNamespace(global_step=step, max_steps=100), control)
        if control.should_save:
            saved.append(clock.now)
            clock.now += 9
            pace.on_save(None, None, control)
    assert saved == [60.0, 60 + 9 + 180.0 + 0, 60 + 2 * (9 + 180.0)]


def test_no_checkpoint_when_training_is_over_or_none_is_wanted():
    from types import SimpleNamespace

    def asked(pace, step, stop=False):
        control = SimpleNamespace(should_save=False, should_training_stop=stop)
        pace.on_step_end(None, SimpleNamespace(global_step=step, max_steps=8), control)
        return control.should_save

    pace = CheckpointPace(2, 10, "")
    assert [asked(pace, step) for step in (1, 2, 3, 4, 8)] == [False, True, False, True, False]
    assert not asked(pace, 4, stop=True)
    assert not asked(CheckpointPace(None, 0, ""), 4)
    assert asked(
        CheckpointPace(None, 1e-9, "", everyone=lambda said: [(True, False), (False, False)]), 4
    )
    assert not asked(
        CheckpointPace(None, 1e-9, "", everyone=lambda said: [(False, False), (True, False)]), 4
    )


def test_notice_to_any_process_is_for_all_and_the_last_checkpoint_ends_them(tmp_path):
    """Also where none was due, and after the last step."""
    from types import SimpleNamespace

    told = [(False, False), (False, True)]
    for step, stop in ((3, False), (8, False), (3, True)):
        pace = CheckpointPace(None, 10, "", everyone=lambda said: told)
        control = SimpleNamespace(should_save=False, should_training_stop=stop)
        pace.on_step_end(None, SimpleNamespace(global_step=step, max_steps=8), control)
        assert control.should_save
        with pytest.raises(SystemExit) as left:
            pace.on_save(None, None, control)
        assert left.value.code == 143


def test_notice_while_a_checkpoint_is_written_asks_for_no_further_step():
    """It takes a step and a second checkpoint, for which there may be no time."""
    from types import SimpleNamespace

    told = [(True, False), (False, False)]
    pace = CheckpointPace(None, 10, "", everyone=lambda said: told)
    pace.on_save(None, SimpleNamespace(), None)
    told[1] = (False, True)
    with pytest.raises(SystemExit):
        pace.on_save(None, SimpleNamespace(), None)


def test_a_damaged_checkpoint_of_a_higher_number_is_not_kept_for_a_whole_one(tmp_path):

    def make(folder):
        if (folder / "checkpoint-3").exists():
            shutil.copytree(folder / "checkpoint-3", folder / "checkpoint-99")
            (folder / "checkpoint-99" / "optimizer.pt").unlink()
        return trainer("npo", folder, **STEPS, save_total_limit=1)

    go_on(make, tmp_path)
    assert newest(tmp_path) == tmp_path / "checkpoint-10"


def test_what_was_being_written_gets_into_no_checkpoint(tmp_path):
    """Of a run of two processes, say, that was cut as it wrote this very one."""
    half = tmp_path / "run" / checkpoints.STAGING / "checkpoint-1"
    half.mkdir(parents=True)
    (half / "rng_state_1.pth").write_bytes(b"half")
    folder = folder_of(tmp_path, steps=1)
    assert not (folder / "checkpoint-1" / "rng_state_1.pth").exists()
