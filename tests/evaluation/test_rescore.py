"""Scores from rows alone, on a machine without torch."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from evaluation_support import asked_of, write_files

from unteach.errors import UserError
from unteach.evaluation.rescore import read_report, read_reports, rescore
from unteach.evaluation.run import evaluate


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny_folder, other_folder):
    files = write_files(tmp_path_factory.mktemp("evaluated"))
    asked = asked_of(files, model=tiny_folder, original=str(other_folder))
    return evaluate(asked), files / "out"


@pytest.fixture
def done(evaluated, tmp_path):
    """Its report, and a copy of its folder to damage."""
    return evaluated[0], shutil.copytree(evaluated[1], tmp_path / "out")


def test_rows_give_the_same_scores_again(done, tmp_path):
    report, folder = done
    again = rescore(folder, tmp_path / "again")
    assert list(again.models) == ["original", "model"]
    assert again == replace(report, papers=again.papers)
    assert read_report(tmp_path / "again").models == report.models
    assert (tmp_path / "again" / "rows" / "model.jsonl").exists()


def test_no_torch_is_needed(done, tmp_path):
    code = (
        "import sys; from pathlib import Path; from unteach.evaluation.rescore import rescore\n"
        "rescore(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    args = [sys.executable, "-c", code, str(done[1]), str(tmp_path / "again")]
    assert subprocess.run(args, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_what_cannot_be_scored_again(done, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        rescore(tmp_path / "nowhere", tmp_path / "again")
    with pytest.raises(UserError, match="would be replaced"):
        rescore(done[1], done[1], overwrite=True)
    (done[1].parent / "full" / "of").mkdir(parents=True)
    with pytest.raises(UserError, match="is not empty"):
        rescore(done[1], done[1].parent / "full")
    file = done[1] / "rows" / "model.jsonl"
    file.write_text(file.read_text() + "{]\n")
    lines = file.read_text().count("\n")
    with pytest.raises(UserError, match=rf"model\.jsonl:{lines}: is no row"):
        rescore(done[1], tmp_path / "again")
    assert not (tmp_path / "again").exists()
    file.write_text('{"about": {"schema": 9}}\n')
    with pytest.raises(UserError, match="schema 9; this release reads 2"):
        rescore(done[1], tmp_path / "again")


def test_rows_of_each_token_are_refused_and_to_be_deleted(done, tmp_path):
    """Those of earlier releases, which give the text back to whoever has the model."""
    file = done[1] / "rows" / "model.jsonl"
    old = {"group": "forget", "id": "forget-0", "logps": [-1.0], "ranks": [3]}
    lines = ({"about": {"schema": 1, "suite": "own"}, "groups": ["forget"]}, old)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError) as error:
        rescore(done[1], tmp_path / "again")
    (problem,) = error.value.problems
    assert problem.where == str(file)
    assert "numbers of each token" in problem.what
    assert problem.hint.startswith("delete it and its copies, and write the rows anew")


def damaged(file, number, **change):
    """Change one line of a rows file."""
    lines = file.read_text().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **change})
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("change", "said"), [
    ({"shiny": 1}, "this release does not know shiny"),
    ({"logps": [-1.0]}, "this release does not know logps"),
    ({"logp": "Zanzibar"}, "logp is not what it should be"),
    ({"logp": [-1.0]}, "logp is not what it should be"),
    ({"logp": float("nan")}, "logp is not what it should be"),
    ({"logp": None}, "it has tokens and no logp"),
    ({"tokens": -1}, "tokens is not what it should be"),
    ({"tokens": 1.5}, "tokens is not what it should be"),
    ({"tokens": None}, "tokens is not what it should be"),
    ({"zlib": "9"}, "zlib is not what it should be"),
    ({"id": 7}, "id is not what it should be"),
])  # fmt: skip
def test_a_line_that_is_no_row_is_named_and_not_quoted(change, said, done, tmp_path):
    damaged(done[1] / "rows" / "model.jsonl", 3, **change)
    with pytest.raises(UserError) as error:
        rescore(done[1], tmp_path / "again")
    assert f"model.jsonl:4: is no row ({said})" in str(error.value)
    assert "Zanzibar" not in str(error.value)


def test_a_number_too_large_to_be_one(done, tmp_path):
    file = done[1] / "rows" / "model.jsonl"
    damaged(file, 3, gradient_norm=12345.0)
    file.write_text(file.read_text().replace("12345.0", "1e999"))
    with pytest.raises(UserError, match="gradient_norm is not what it should be"):
        rescore(done[1], tmp_path / "again")


def test_files_that_answer_different_questions_are_no_evaluation(done, tmp_path):
    file = done[1] / "rows" / "model.jsonl"
    whole = file.read_text().splitlines(keepends=True)
    file.write_text("".join(whole[:-1]))  # cut off where a line ends
    with pytest.raises(UserError, match="answers 1 questions more or fewer than original"):
        rescore(done[1], tmp_path / "again")
    file.write_text("".join(whole).replace('"suite": "own"', '"suite": "tofu"'))
    with pytest.raises(UserError, match="is of other questions than original"):
        rescore(done[1], tmp_path / "again")


@pytest.mark.parametrize("change", [
    [],
    {"schema": 2},
    {"models": {"x": [1]}},
    {"models": {"x": {"forget": {"probability": {"value": "high"}}}}},
    {"models": {"x": {"forget": {"probability": {"value": 1.0, "n": "many"}}}}},
])  # fmt: skip
def test_a_report_that_is_none(change, done):
    file = done[1] / "scores.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, **change} if change else change))
    with pytest.raises(UserError, match="cannot be read"):
        read_report(done[1])


def test_evaluations_of_different_suites_are_not_averaged(done, tmp_path):
    """A run has no suite, and stands beside any."""
    other, run = tmp_path / "other", tmp_path / "run"
    record = json.loads((done[1] / "scores.json").read_text())
    for folder, facts in ((other, {"suite": "tofu, version 1"}), (run, {})):
        folder.mkdir()
        changed = {**record, "facts": facts, "method": {"label": folder.name, "papers": []}}
        (folder / "scores.json").write_text(json.dumps(changed))
    assert len(read_reports([done[1], run, done[1]])) == 3
    with pytest.raises(UserError, match=r"answers own; .* answers other"):
        read_reports([done[1], run, other])
