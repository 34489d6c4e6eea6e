"""Stopping at what the model gives to answers that it never saw."""

import json
from pathlib import Path

import pytest
from support import ANYWAY

from unteach import pipeline
from unteach.checks import request as intake
from unteach.errors import UserError
from unteach.settings.request import load


@pytest.fixture
def asked(tmp_path, tiny_folder):
    for role, n in (("forget", 4), ("holdout", 3)):
        rows = [{"question": f"Who is {k}?", "answer": f"{role} {k}."} for k in range(n)]
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = {"model": str(tiny_folder), "out": str(tmp_path / "out"), "method": "ascent"}
    flags |= {role: str(tmp_path / f"{role}.jsonl") for role in ("forget", "holdout")}
    return flags


def asked_report(asked):
    return (Path(asked["out"]) / "report.md").read_text()


def test_a_run_stops_there_and_says_where(asked):
    sets = [ANYWAY, "train.stop_at=holdout", "train.epochs=50", "evaluate.max_new_tokens=4"]
    report = pipeline.run(load(flags=asked, sets=[*sets, "train.learning_rate=1e-2"]))
    assert "no likelier than the holdout's (AUC 0." in report.facts["stopped_because"]
    assert report.facts["steps"] < report.facts["steps_planned"]
    assert report.request["train"]["stop_at"] == "holdout"


def test_a_run_ends_where_answers_to_keep_are_harmed(asked):
    sets = [ANYWAY, "train.min_kept=0.9", "train.stop_at=0", "evaluate.max_new_tokens=4"]
    report = pipeline.run(load(flags=asked, sets=[*sets, "train.learning_rate=1e-2"]))
    assert "less than train.min_kept = 0.9" in report.facts["stopped_because"]
    assert report.facts["steps"] < report.facts["steps_planned"]
    assert report.facts["stopped_because"] in (asked_report(asked))


def test_the_half_that_judges_sets_no_level(asked, monkeypatch):
    rows = [{"question": f"Who is {k}?", "answer": f"holdout {k}."} for k in range(16)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    with open(asked["holdout"], "w", encoding="utf-8") as file:
        file.write(text)
    from unteach.training import unlearn as module

    levels, watch = [], module.WeightWatch

    def heard(model, monitor, data, **options):
        levels.append([s.id for s in data.holdout])
        return watch(model, monitor, data, **options)

    monkeypatch.setattr(module, "WeightWatch", heard)
    sets = [ANYWAY, "train.stop_at=holdout", "train.epochs=1", "evaluate.max_new_tokens=4"]
    pipeline.run(load(flags=asked, sets=sets))
    assert levels == [[f"holdout-{k}" for k in range(8)]]


def test_without_a_holdout_it_is_refused(asked):
    flags = {k: v for k, v in asked.items() if k != "holdout"}
    with pytest.raises(UserError, match=r"train\.stop_at: is holdout, and there is none"):
        intake.check(load(flags=flags, sets=["train.stop_at=holdout"]))
    with pytest.raises(UserError, match=r"train\.stop_at"):
        load(flags=asked, sets=["train.stop_at=elsewhere"])


def test_a_rate_that_destroyed_the_model_is_lowered_and_said(asked, monkeypatch):
    """The first training is made to fail as the guard would; the second is real."""
    from unteach.errors import Problem
    from unteach.training import unlearn as module
    from unteach.training.safeguards.divergence import ModelDestroyed

    rates, unlearn = [], module.unlearn_model

    def first_fails(*given, **more):
        rates.append(given[4].train.learning_rate)
        if len(rates) == 1:
            problem = Problem("training, step 2", "the model is destroyed: 9 nats", "")
            raise ModelDestroyed(problem, lower=rates[0] / 10)
        return unlearn(*given, **more)

    monkeypatch.setattr(module, "unlearn_model", first_fails)
    report = pipeline.run(load(flags=asked, sets=[ANYWAY, "train.epochs=2"]))
    usual, lower = rates
    assert lower == pytest.approx(usual / 10)
    assert report.facts["learning_rate_lowered_to"] == lower
    text = asked_report(asked)
    assert f"rate of {usual:g} destroyed the model" in text
    assert f"began again from the original with {lower:g}" in text
