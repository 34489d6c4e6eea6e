"""The weights are scored while they are trained, which ends at the level or before harm is done."""

import copy
import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from overshoot import FORGET, HOLDOUT, RETAIN, auc, moved
from support import tiny_llama
from trainers import answer_logps, trainer, weights
from transformers import TrainerCallback

from unteach.inference import answer_tokens
from unteach.training.resume.state import CarriedState
from unteach.training.safeguards.early_stopping import EarlyStopping
from unteach.training.safeguards.watch import SHARE, WeightWatch
from unteach.training.training_data import TrainingData

DATA = TrainingData(forget=FORGET, retain=RETAIN, holdout=HOLDOUT)


class Each(TrainerCallback):
    """What is true of the weights after each step."""

    def __init__(self, model, tell):
        self.model, self.tell, self.found = model, tell, []

    def on_step_end(self, args, state, control, **kwargs):
        training = self.model.training
        self.found.append(self.tell(self.model))
        self.model.train(training)


@pytest.fixture(scope="module")
def knowing():
    return moved(tiny_llama(), 1, 30)


def run(knowing, tmp_path, tell=auc, every=1, holdout=HOLDOUT, epochs=40, **watched):
    """Ascent under a watch: the trainer, and what was true after each step."""
    model = copy.deepcopy(knowing)
    made = trainer(
        "ascent", tmp_path, model=model, kept=RETAIN, forget=FORGET, num_train_epochs=epochs,
        learning_rate=0.03, stop_at=0,
    )  # fmt: skip
    given = {"stop": True} | watched
    watch = WeightWatch(model, made.monitor, replace(DATA, holdout=holdout), **given)
    each = Each(model, tell)
    for callback in (watch, each):
        made.add_callback(callback)
    if every:
        watch.on_train_begin = lambda *_, **__: setattr(watch, "_every", every)
    made.train()
    return made, each.found


@pytest.mark.parametrize("every", [1, 3])
def test_it_ends_at_the_first_look_where_the_holdout_is_as_likely(knowing, tmp_path, every):
    made, found = run(knowing, tmp_path, every=every)
    looked = found[every - 1 :: every]
    assert 1 < len(found) < 40
    assert looked[-1] <= 0.5
    assert all(x > 0.5 for x in looked[:-1])
    assert made.monitor.reason == (
        f"the forget answers are no likelier than the holdout's (AUC {looked[-1]:.2f})"
    )


def likely(model, sequences):
    """The mean probability per token of the answers."""
    found = answer_tokens(model.eval(), sequences)
    return sum(math.exp(sum(x.logps) / len(x.logps)) for x in found) / len(found)


@pytest.mark.parametrize("harmed", ["holdout", "retain"])
def test_it_ends_where_answers_to_keep_are_harmed(harmed, knowing, tmp_path):
    model = copy.deepcopy(knowing)
    if harmed == "retain":  # it knows them, and so they fall first
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        for _ in range(40):
            optimizer.zero_grad()
            (-answer_logps(model, RETAIN).mean()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    these = RETAIN if harmed == "retain" else HOLDOUT
    before = likely(copy.deepcopy(model), these)
    made, found = run(
        model, tmp_path, partial(likely, sequences=these), stop=False, min_kept=0.9,
        holdout=HOLDOUT if harmed == "holdout" else [],
    )  # fmt: skip
    shares = [now / before for now in found]
    assert shares[-1] < 0.9
    assert all(share >= 0.9 for share in shares[:-1])
    assert made.monitor.reason == (
        f"the {harmed} answers have {shares[-1]:.0%} of their probability, less than "
        "train.min_kept = 0.9"
    )


def test_looking_changes_no_weight(knowing, tmp_path):
    looked, _ = run(knowing, tmp_path / "a", stop=False, min_kept=1e-9, epochs=8)
    plain, _ = run(knowing, tmp_path / "b", stop=False, every=1000, epochs=8)
    assert looked.state.global_step == plain.state.global_step == 8
    assert torch.equal(weights(looked.model), weights(plain.model))


def test_scoring_takes_a_twentieth_of_the_compute_at_most(knowing):
    """A token of a training step counts three times, for its backward."""
    watch = WeightWatch(copy.deepcopy(knowing), EarlyStopping(8, None), DATA, stop=True)
    args = SimpleNamespace(num_train_epochs=10)
    watch.on_train_begin(args, SimpleNamespace(max_steps=40), None)
    tokens = sum(len(s.ids) for s in (*FORGET, *HOLDOUT))
    trained = 3 * 10 * 2 * sum(len(s.ids) for s in FORGET) / 40
    assert tokens <= SHARE * trained * watch._every
    assert tokens > SHARE * trained * (watch._every - 1)


def test_a_run_that_goes_on_from_where_it_was_ended_makes_no_more_step():
    ended, after = EarlyStopping(8, None), EarlyStopping(8, None)
    ended.end("harm")
    held = {}
    guard = SimpleNamespace(seen={})
    dual = SimpleNamespace(weight=1.0)
    with patch(
        "unteach.training.resume.state.finish", lambda folder, step, told, keep: held.update(told)
    ):
        CarriedState(dual, ended, guard).finish(None, 3, None)
    with patch("unteach.training.resume.state.read", lambda found: held):
        CarriedState(dual, after, guard).load(None)
    assert after.done()
    assert after.reason == "harm"


@pytest.mark.parametrize("training", [True, False])
def test_a_look_leaves_the_mode_of_the_model(training, knowing):
    model = copy.deepcopy(knowing).train(training)
    watch = WeightWatch(model, EarlyStopping(8, None), DATA, stop=True, min_kept=0.9)
    assert model.training is training
    watch.on_step_end(None, SimpleNamespace(global_step=1), SimpleNamespace())
    assert model.training is training
