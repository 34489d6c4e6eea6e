"""Stopping at what the model gives to answers that it never saw."""

import json
import math

import pytest
from support import ANYWAY

from unteach import intake, pipeline
from unteach.models import load_model
from unteach.nouns import UserError
from unteach.request import load


@pytest.fixture
def asked(tmp_path, tiny_folder):
    for role, n in (("forget", 4), ("holdout", 3)):
        rows = [{"question": f"Who is {k}?", "answer": f"{role} {k}."} for k in range(n)]
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = {"model": str(tiny_folder), "out": str(tmp_path / "out"), "method": "ascent"}
    flags |= {role: str(tmp_path / f"{role}.jsonl") for role in ("forget", "holdout")}
    return flags


def test_the_level_is_the_holdout_answers_mean_probability(asked):
    import torch

    found = intake.check(load(flags=asked, sets=["train.stop_at=holdout"]))
    model = load_model(asked["model"])
    holdout = found.sequences["holdout"]
    request = pipeline.stopping(found.request, model, holdout)
    each = []
    for sequence in holdout:
        with torch.no_grad():
            logps = model(torch.tensor([sequence.ids])).logits[0].log_softmax(-1)
        chosen = [k for k, answer in enumerate(sequence.answer) if answer]
        each.append(sum(logps[k - 1, sequence.ids[k]].item() for k in chosen) / len(chosen))
    level = sum(map(math.exp, each)) / len(each)
    assert request.train.stop_at == pytest.approx(level, rel=1e-5)
    given = found.request.model_copy(
        update={"train": found.request.train.model_copy(update={"stop_at": 0.3})}
    )
    assert pipeline.stopping(given, model, holdout) is given


def test_a_run_stops_there_and_says_where(asked):
    sets = [ANYWAY, "train.stop_at=holdout", "train.epochs=50", "evaluate.max_new_tokens=4"]
    report = pipeline.run(load(flags=asked, sets=[*sets, "train.learning_rate=1e-2"]))
    assert 0 < report.facts["stop_at"] < 1
    assert "train.stop_at" in report.facts["stopped_because"]
    assert report.request["train"]["stop_at"] == "holdout"


def test_the_half_that_judges_sets_no_level(asked, monkeypatch):
    rows = [{"question": f"Who is {k}?", "answer": f"holdout {k}."} for k in range(16)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    with open(asked["holdout"], "w", encoding="utf-8") as file:
        file.write(text)
    levels, stopping = [], pipeline.stopping

    def heard(request, model, holdout):
        levels.append([s.id for s in holdout])
        return stopping(request, model, holdout)

    monkeypatch.setattr(pipeline, "stopping", heard)
    sets = [ANYWAY, "train.stop_at=holdout", "train.epochs=1", "evaluate.max_new_tokens=4"]
    pipeline.run(load(flags=asked, sets=sets))
    assert levels == [[f"holdout-{k}" for k in range(8)]]


def test_without_a_holdout_it_is_refused(asked):
    flags = {k: v for k, v in asked.items() if k != "holdout"}
    with pytest.raises(UserError, match=r"train\.stop_at: is holdout, and there is none"):
        intake.check(load(flags=flags, sets=["train.stop_at=holdout"]))
    with pytest.raises(UserError, match=r"train\.stop_at"):
        load(flags=asked, sets=["train.stop_at=elsewhere"])


def test_a_rate_that_destroyed_the_model_is_lowered_and_said(asked, tmp_path, monkeypatch):
    """The first training is made to fail as the guard would; the second is real."""
    from unteach.engine import unlearn as module
    from unteach.engine.trouble import Destroyed
    from unteach.nouns import Problem

    rates, unlearn = [], module.unlearn

    def first_fails(*given):
        rates.append(given[5].train.learning_rate)
        if len(rates) == 1:
            problem = Problem("training, step 2", "the model is destroyed: 9 nats", "")
            raise Destroyed(problem, lower=rates[0] / 10)
        return unlearn(*given)

    monkeypatch.setattr(module, "unlearn", first_fails)
    report = pipeline.run(load(flags=asked, sets=[ANYWAY, "train.epochs=2"]))
    usual, lower = rates
    assert lower == pytest.approx(usual / 10)
    assert report.facts["learning_rate_lowered_to"] == lower
    text = (tmp_path / "out" / "report.md").read_text()
    assert f"rate of {usual:g} destroyed the model" in text
    assert f"began again from the original with {lower:g}" in text
