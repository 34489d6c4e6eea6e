"""Task vectors: what becomes of the weights once training is over."""

import pytest
import torch
from families import logits, tiny_gpt2
from support import tiny_llama
from trainers import FORGET, RETAIN, answer_logps, lora, trainer
from transformers import TrainerCallback

from unteach.adapters import LoraSettings, add_lora, initialise_fila, merge
from unteach.errors import UserError
from unteach.methods import METHODS, build
from unteach.training.finish import Finish

STRENGTH = 1.5
METHOD = build("task-vector", {"strength": STRENGTH})


class Last(TrainerCallback):
    """Keeps the trained weights, before they are finished."""

    def __init__(self, take):
        self.take, self.kept = take, None

    def on_train_end(self, args, state, control, model=None, **kwargs):
        self.kept = self.take(model)


def state(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2])
def test_all_weights_go_the_other_way(make, tmp_path):
    """theta0 - s (theta - theta0), of every weight; and the answers become less likely."""
    model = make()
    start, before = state(model), answer_logps(model, FORGET).sum()
    run, last = trainer(METHOD, tmp_path, model=model, num_train_epochs=3), Last(state)
    run.add_callback(last)
    run.train()
    assert run.retain_name == "none"
    for name, end in state(run.model).items():
        trained = last.kept[name]
        assert not torch.equal(trained, start[name])
        torch.testing.assert_close(end, start[name] - STRENGTH * (trained - start[name]))
    assert answer_logps(run.model, FORGET).sum() < before


def whole(model):
    """The weights of the layers as they would be merged."""
    found = {}
    for name, layer in model.named_modules():
        if hasattr(layer, "lora_A"):
            found[name] = (
                layer.get_base_layer().weight + layer.get_delta_weight("default")
            ).detach()
    return found


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2])
def test_the_merged_weights_of_adapters_do_likewise(make, tmp_path):
    """Though A and B have moved both: only their product counts."""
    torch.manual_seed(0)
    model = add_lora(make(), LoraSettings(rank=2))
    start = whole(model)
    run = trainer(METHOD, tmp_path, model=model, num_train_epochs=3, learning_rate=0.1)
    last = Last(whole)
    run.add_callback(last)
    run.train()
    ended = whole(run.model)
    for name, end in ended.items():
        change = last.kept[name] - start[name]
        assert change.abs().max() > 1e-4
        torch.testing.assert_close(end, start[name] - STRENGTH * change)
    found = merge(run.model)
    assert not torch.allclose(logits(found), logits(make()))


def test_adapters_that_begin_as_something_are_refused(tmp_path):
    """Reversing B alone would take away what was there before training."""
    policy = add_lora(tiny_llama(), LoraSettings(rank=2))
    initialise_fila(policy, FORGET, RETAIN)
    for model in (policy, lora()):
        with pytest.raises(UserError, match=r"adapter\.init"):
            trainer(METHOD, tmp_path, model=model)


def test_adapters_of_another_kind_are_refused(tmp_path):
    from peft import IA3Config, get_peft_model

    model = get_peft_model(tiny_llama(), IA3Config(task_type="CAUSAL_LM"))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no plain LoRA"):
        trainer(METHOD, tmp_path, model=model)


def test_a_run_that_is_cut_ends_as_one_that_is_not(tmp_path):
    """The model before is the one given, not that of the checkpoint."""
    options = {"num_train_epochs": 4, "save_strategy": "steps", "save_steps": 1}
    once = trainer(METHOD, tmp_path / "once", **options)
    once.train()
    first = trainer(METHOD, tmp_path / "cut", **options)

    class Cut(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise KeyboardInterrupt

    first.add_callback(Cut())
    with pytest.raises(KeyboardInterrupt):
        first.train()
    again = trainer(METHOD, tmp_path / "cut", **options)
    again.train(resume_from_checkpoint=True)
    for name, weight in state(once.model).items():
        torch.testing.assert_close(state(again.model)[name], weight, rtol=1e-9, atol=1e-12)


def test_other_methods_keep_no_copy_and_change_nothing():
    for name in METHODS:
        model = tiny_llama()
        found = Finish(build(name, {}), model)
        assert found.acts == (name == "task-vector")
        assert bool(found._start) == found.acts
        found.apply()
        for key, weight in state(tiny_llama()).items():
            assert torch.equal(state(model)[key], weight)
