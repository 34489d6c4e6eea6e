"""Texts are written where they are asked for, into one file that nobody else can read."""

import json
import os
import stat

import pytest
from secrecy.aviary import Aviary
from secrecy.leaks import leaks_under

ROLES = ("forget", "retain", "holdout")


@pytest.fixture
def aviary(tmp_path, tokenizer):
    return Aviary(tmp_path / "data", tokenizer)


@pytest.fixture
def umask():
    """Others may read what is written, unless we see to it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def records(folder):
    file = folder / "texts.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return {line["id"]: line for line in map(json.loads, file.read_text("utf-8").split("\n")[:-1])}


def names(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*")}


def without_text(folder, aviary):
    """The file is the only one with texts, and the report says so."""
    assert any("texts.jsonl: " in leak for leak in leaks_under(folder, aviary.canaries))
    assert "texts.jsonl holds texts of the data" in (folder / "report.md").read_text("utf-8")
    (folder / "texts.jsonl").unlink()
    assert leaks_under(folder, aviary.canaries) == []


def scores(folder):
    return json.loads((folder / "scores.json").read_text("utf-8"))["models"]


def test_a_run_puts_what_models_said_side_by_side(call, aviary, tiny_folder, tmp_path, umask):
    files = [part for role in ROLES for part in (f"--{role}", aviary.path(f"{role}.jsonl"))]
    sets = ("--set", "train.epochs=1", "--set", "evaluate.max_new_tokens=8", "--method", "npo")
    sets += ("--train-anyway",)
    flags = ("run", "--model", tiny_folder, *files, *sets)
    code, _, err = call(*flags, "--out", tmp_path / "plain")
    assert code == 0, err
    code, _, err = call(*flags, "--out", tmp_path / "out", "--keep-text")
    assert code == 0, err
    found = records(tmp_path / "out")
    assert set(found) == {f"{role}-{k}" for role in ROLES for k in (0, 1)}
    first = found["forget-0"]
    assert first["group"] == "forget"
    row = json.loads((tmp_path / "data" / "forget.jsonl").read_text("utf-8").split("\n")[0])
    assert row["question"] in first["prompt"]
    assert row["answer"] == first["answer"]
    assert set(first["said"]) == {"original", "unlearned"}
    assert all(isinstance(said, str) for said in first["said"].values())
    assert names(tmp_path / "out") - names(tmp_path / "plain") == {"texts.jsonl"}
    assert scores(tmp_path / "out") == scores(tmp_path / "plain")
    without_text(tmp_path / "out", aviary)


def test_an_evaluation_asks_anew_for_texts(call, aviary, tiny_folder, tmp_path, umask):
    flags = ("evaluate", "--model", f"a={tiny_folder}", "--forget", aviary.path("table.csv"))
    more = ("--max-new-tokens", 8, "--cache", tmp_path / "cache", "--retrained", tiny_folder)
    for name in ("first", "out"):
        keep = () if name == "first" else ("--keep-text",)
        code, _, err = call(*flags, *more, "--out", tmp_path / name, *keep)
        assert code == 0, err
    found = records(tmp_path / "out")
    said = [line["said"] for line in found.values()]
    assert len(said) == 3
    assert all(set(models) == {"a", "retrained"} for models in said)
    assert all(models["a"] == models["retrained"] for models in said)  # it is the same model
    assert scores(tmp_path / "first") == scores(tmp_path / "out")
    assert leaks_under(tmp_path / "cache", aviary.canaries) == []
    without_text(tmp_path / "out", aviary)


@pytest.mark.slow
def test_a_suite_that_hands_out_no_texts_says_so(call, tiny_folder, tmp_path):
    flags = ("evaluate", "--model", tiny_folder, "--suite", "general", "--out", tmp_path / "out")
    code, _, err = call(*flags, "--keep-text")
    assert code == 2
    assert "--keep-text: the suite general asks by itself" in err
