"""The model card: metadata that the hub takes, numbers with intervals, and never over another."""

import json

import pytest
from gates.test_gates import BEFORE, GONE
from huggingface_hub import ModelCard

import unteach
from unteach.evaluation.card import card, write_card
from unteach.evaluation.results import judge
from unteach.methods import METHODS
from unteach.report import Report
from unteach.report.grid import cell
from unteach.settings.gates import DEFAULT, Gates
from unteach.settings.request import load

SECRET = "Zanzibar"
FORGET = [{"question": f"Where was Ada {k} born?", "answer": f"In {SECRET} {k}."} for k in range(3)]


def request(**flags):
    given = {"model": "owner/name@" + "a" * 40, "forget": "f.jsonl", "out": "o", **flags}
    return load(None, given)


def report():
    gates = Gates(**DEFAULT)
    found = judge({"original": BEFORE, "unlearned": GONE}, gates=gates)
    facts = {"examples": {"forget": 40}, "unteach": "0.1.0", "gates": {"sha256": gates.sha256}}
    paper = METHODS.get("npo").paper
    return Report(**found, label="npo <b>", papers=(paper,), facts=facts)


def test_it_says_what_it_is_of_and_what_is_known():
    text = card(report(), request(request_id="DSR-14"))
    read = ModelCard(text)
    assert read.data.base_model == "owner/name"
    assert read.data.library_name == "transformers"
    assert "machine-unlearning" in read.data.tags
    for said in (
        "DSR-14",
        "@misc{zhang",
        "## What this does not prove",
        "membership AUC",
        Gates(**DEFAULT).sha256,
    ):
        assert said in text
    assert "Gates: done" in text
    assert "after a request for removal (DSR-14) of 40 examples: unlearned with npo" in text
    assert "taken out" not in text, "what came of it is what was measured"
    score = report().score("original", "forget", "probability")
    assert score.low is not None
    assert f"| forget: probability per token | {cell(score)} | " in text
    assert "<b>" not in text


def test_adapters_and_a_local_model(tmp_path):
    text = card(report(), request(model=str(tmp_path), adapter_only=True))
    read = ModelCard(text)
    assert read.data.base_model is None
    assert (read.data.library_name, read.data.base_model_relation) == ("peft", "adapter")
    assert str(tmp_path.parent) not in text
    assert tmp_path.name in text


def test_what_its_user_wrote_stays(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    write_card(report(), request(), tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.fixture(scope="module")
def made(tiny_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    file = folder / "forget.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in FORGET))
    unteach.unlearn(
        tiny_folder, file, out=folder / "out", method="npo", train_anyway=True,
        settings={"train.epochs": 1, "evaluate.max_new_tokens": 4},
    )  # fmt: skip
    return folder / "out"


def test_a_run_writes_one_without_a_word_of_the_data(made):
    text = (made / "README.md").read_text("utf-8")
    assert SECRET not in text
    assert "Ada" not in text
    facts = json.loads((made / "run.json").read_text())
    assert facts["facts"]["model_before"] in text
    assert "README.md" not in facts["files"]
