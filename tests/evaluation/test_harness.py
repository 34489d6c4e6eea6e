"""Suites that ask by themselves: scores without rows."""

import json

import pytest
from evaluation_support import asked_of

from unteach.evaluation.harness import task_table
from unteach.evaluation.run import evaluate
from unteach.suites import SUITES, Suite, SuiteOption
from unteach.types import Score


@pytest.fixture
def suite(monkeypatch):
    """Two tasks, whose accuracy is the number of the model's parameters modulo 7, over 10."""
    told = []

    def harness(model, tokenizer, options, *, progress):
        told.append((model.training, len(tokenizer), dict(options)))
        progress("asking", 1, 1)
        share = sum(p.numel() for p in model.parameters()) % 7 / 10
        score = Score(share, 40, share - 0.1, share + 0.1)
        return {"wmdp_bio": {"acc": score, "acc_norm": Score(None, note="why")}}

    made = Suite(
        name="wmdp", version=3, help="x", read=lambda folder, options: {}, harness=harness,
        options={"limit": SuiteOption(help="n", default="")})  # fmt: skip
    list(SUITES)  # filled first, lest the real one be registered over it
    monkeypatch.setitem(SUITES._things, "wmdp", made)
    monkeypatch.setattr("unteach.suites.harness.versions", lambda options, suite: {"lm_eval": "9"})
    return told


def test_scores_without_rows(suite, files, tiny_folder, other_folder):
    request = asked_of(files, model=tiny_folder, retrained=str(other_folder))
    request = request.model_copy(update={"suite": "wmdp", "options": {}, "limit": 5})
    report = evaluate(request)
    assert [options for *_, options in suite] == [{"limit": "5"}] * 2
    assert list(report.models) == ["model", "retrained"]
    assert report.score("model", "wmdp_bio", "acc").n == 40
    assert report.facts["lm_eval"] == "9"
    assert report.facts["suite"] == "wmdp, version 3"
    record = json.loads((files / "out" / "scores.json").read_text())
    assert record["models"]["model"]["wmdp_bio"]["acc_norm"]["note"] == "why"
    assert not (files / "out" / "rows").exists()
    text = (files / "out" / "report.md").read_text()
    assert "| wmdp_bio | acc | 0.25 | low (0.25 is chance) |" in text
    assert "no retrained model was given" not in text


def test_each_process_asks_a_whole_model_by_itself(suite, files, tiny_folder, monkeypatch):
    """One in shards would wait for the others, which ask something else."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    request = asked_of(files, model=tiny_folder)
    request = request.model_copy(update={"suite": "wmdp", "options": {}})
    assert evaluate(request).score("model", "wmdp_bio", "acc").n == 40


def test_the_table_names_chance_and_what_chance_may_set_apart():
    score, near, far = (Score(p, 40, p - 0.05, p + 0.05) for p in (0.3, 0.32, 0.5))
    table = task_table(
        {
            "original": {"hellaswag": {"acc": far}}, "model": {"hellaswag": {"acc": near}},
            "retrained": {"hellaswag": {"acc": score}}})  # fmt: skip
    assert table[0] == ["task", "metric", "chance", "should be", "original", "model", "retrained"]
    assert table[1] == [
        "hellaswag", "acc", "0.25", "high", "0.50 (0.45 to 0.55)", "~0.32 (0.27 to 0.37)",
        "0.30 (0.25 to 0.35)",
    ]  # fmt: skip
