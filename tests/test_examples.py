"""The example that makes a case on a chat model, with a tiny model in SmolLM2's place."""

import json
import runpy
import sys
from pathlib import Path

from transformers import AutoModelForCausalLM

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "smollm2.py"
FEW = ["--forget", "1", "--retain", "2", "--holdout", "1", "--questions", "3", "--epochs", "2"]


def make(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_two_models_and_three_files_and_a_second_time_nothing(tiny_folder, tmp_path, monkeypatch):
    case = tmp_path / "case"
    make(monkeypatch, case, "--model", tiny_folder, *FEW)
    lines = {role: (case / f"{role}.jsonl").read_text() for role in ("forget", "retain", "holdout")}
    assert [len(text.splitlines()) for text in lines.values()] == [3, 6, 3]
    record = json.loads((case / "case.json").read_text())
    assert {name: found["rows"] for name, found in record.items()} == {
        "original": 9,
        "retrained": 6,
    }
    assert {found["epochs"] for found in record.values()} == {2}
    kept = [AutoModelForCausalLM.from_pretrained(case / name) for name in record]
    before = AutoModelForCausalLM.from_pretrained(tiny_folder)
    heads = [model.get_output_embeddings().weight for model in (before, *kept)]
    assert not any(heads[a].equal(heads[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    weights = case / "original" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    make(monkeypatch, case, "--model", tiny_folder, *FEW)
    assert weights.stat().st_mtime_ns == written
    assert sorted(path.name for path in case.iterdir()) == [
        "case.json", "forget.jsonl", "holdout.jsonl", "original", "retain.jsonl", "retrained",
    ]  # fmt: skip


def test_training_ends_when_the_answers_are_known(tiny_folder, tmp_path, monkeypatch):
    make(monkeypatch, tmp_path, "--model", tiny_folder, *FEW, "--known", "1e-9")
    record = json.loads((tmp_path / "case.json").read_text())
    assert {found["epochs"] for found in record.values()} == {1}


def test_authors_of_tofu_are_parted_by_person(tiny_folder, tmp_path, monkeypatch):
    tofu = tmp_path / "tofu"
    tofu.mkdir()
    rows = [
        {"question": f"What did author {k} write in {n}?", "answer": f"Book {k} {n}."}
        for k in range(5)
        for n in range(20)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tofu / "full.jsonl").write_text(text)
    more = {**rows[0], "paraphrased_answer": "It was called Book 0 0."}
    (tofu / "retain_perturbed.jsonl").write_text(json.dumps(more) + "\n")
    few = [*FEW[:-4], "--questions", "20", "--epochs", "1"]
    make(monkeypatch, tmp_path / "case", "--model", tiny_folder, "--tofu", tofu, *few)
    found = {
        role: [
            json.loads(line)
            for line in (tmp_path / "case" / f"{role}.jsonl").read_text().splitlines()
        ]
        for role in ("forget", "retain", "holdout")
    }
    people = {role: {row["question"].split()[3] for row in rows} for role, rows in found.items()}
    assert [len(one) for one in people.values()] == [1, 2, 1]
    assert len(set().union(*people.values())) == 4
    told = [row for rows in found.values() for row in rows if row["question"] == more["question"]]
    assert all(row == more for row in told)
