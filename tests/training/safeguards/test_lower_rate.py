"""An automatic rate that destroys the model is lowered once; a user's own is left."""

import copy
import json

import pytest
import torch
from support import tiny_llama
from trainers import FORGET, answer_logps, trainer

from unteach.errors import Problem, UserError
from unteach.settings.request import Request
from unteach.training.safeguards.divergence import ModelDestroyed
from unteach.training.safeguards.lower_rate import FILE, with_lower_rate

FOUND = Problem("training, step 2", "the model is destroyed: its answers cost 9", "set a rate")


def request(rate=1e-3):
    given = {"model": "m", "forget": "f.jsonl", "out": "o", "train": {"learning_rate": rate}}
    return Request.model_validate(given)


def breaks_above(rate, lower, rates):
    def train(asked):
        rates.append(asked.train.learning_rate)
        if asked.train.learning_rate > rate:
            raise ModelDestroyed(FOUND, lower=lower)
        return "model"

    return train


def test_training_begins_again_at_the_lower_rate_and_says_so(tmp_path):
    rates, notes = [], []
    (tmp_path / "checkpoint-1").mkdir()  # of the model that is destroyed
    found = with_lower_rate(breaks_above(5e-4, 1e-4, rates), request(), notes.append, tmp_path)
    assert found == ("model", 1e-4)
    assert rates == [1e-3, 1e-4]
    assert "0.001 is too fast for this model" in notes[0].what
    assert "begins again with 0.0001" in notes[0].hint
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_run_that_goes_on_takes_the_lower_rate_at_once(tmp_path):
    (tmp_path / FILE).write_text(json.dumps(1e-4))
    (tmp_path / "checkpoint-7").mkdir()
    rates, notes = [], []
    found = with_lower_rate(breaks_above(5e-4, 1e-4, rates), request(), notes.append, tmp_path)
    assert (found, rates, notes) == (("model", 1e-4), [1e-4], [])
    assert (tmp_path / "checkpoint-7").exists()


@pytest.mark.parametrize("lower", [None, 6e-4])
def test_the_error_stands_for_a_rate_of_the_users_own_or_where_the_lower_one_fails(lower):
    rates = []
    with pytest.raises(UserError, match="the model is destroyed"):
        with_lower_rate(breaks_above(5e-4, lower, rates), request(), lambda note: None)
    assert rates == [1e-3, *([lower] if lower else [])]


def test_a_rate_that_holds_is_taken_as_it_is():
    rates = []
    found = with_lower_rate(breaks_above(1.0, None, rates), request(), pytest.fail)
    assert (found, rates) == (("model", None), [1e-3])


@pytest.mark.parametrize(("suits", "lower"), [(0.5, 0.05), (1e-3, None)])
def test_the_trainer_offers_a_lower_rate_where_it_chose_the_rate(
    suits, lower, tmp_path, monkeypatch
):
    """A rate of 0.5 destroys the model; it is the automatic one, or the user's own."""
    monkeypatch.setattr("unteach.training.trainer.suiting_rate", lambda *_, **__: suits)
    model = copy.deepcopy(tiny_llama())
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(40):
        optimizer.zero_grad()
        (-answer_logps(model, FORGET).mean() / 5).backward()
        optimizer.step()
    run = trainer(
        "npo", tmp_path, model=model, learning_rate=0.5, num_train_epochs=8, stop_at=0,
        lr_scheduler_type="constant", optim="adamw_torch",
    )  # fmt: skip
    with pytest.raises(ModelDestroyed) as caught:
        run.train()
    assert caught.value.lower == lower
