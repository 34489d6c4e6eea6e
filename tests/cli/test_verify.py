"""A result is as it was written, or what is not is named."""

import json
import shutil

import pytest
from typer.testing import CliRunner

import unteach
from unteach.cli import app
from unteach.errors import UserError
from unteach.evaluation.verify import verify

FORGET = [{"question": f"Where was Ada {k} born?", "answer": f"In Lund {k}."} for k in range(3)]


@pytest.fixture(scope="module")
def made(tiny_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    unteach.unlearn(
        tiny_folder, FORGET, out=out, method="npo", keep_text=True, train_anyway=True,
        settings={"train.epochs": 1, "evaluate.max_new_tokens": 4},
    )  # fmt: skip
    return out


@pytest.fixture
def result(made, tmp_path):
    return shutil.copytree(made, tmp_path / "result")


def numbers(record) -> int:
    if isinstance(record, dict):
        return sum(map(numbers, record.values()))
    return sum(map(numbers, record)) if isinstance(record, list) else 1


def test_a_result_is_whole_and_every_score_follows_from_its_rows(result):
    found = verify(result)
    scores = json.loads((result / "scores.json").read_text())
    parts = ("models", "comparisons", "never_seen", "given", "harm")
    assert found.scores == sum(numbers(scores[part]) for part in parts)
    assert found.scores > 50
    files = {p.name for p in result.rglob("*") if p.is_file()} - {
        "texts.jsonl",
        "run.json",
        "README.md",
    }
    assert found.files == len(files)
    assert found.surplus == ()
    done = CliRunner().invoke(app, ["verify", str(result)], catch_exceptions=False)
    assert f"{found.files} files are as they were written" in done.stdout


def test_what_its_user_may_do(result):
    (result / "texts.jsonl").unlink()
    (result / "mine.txt").write_text("mine")
    (result / "README.md").write_text("What I say of it.")
    assert verify(result).surplus == ("mine.txt",)


def test_every_change_is_named_at_once(result):
    weights = result / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    (result / "config.json").unlink()
    (result / "report.md").write_text("All is well.")
    with pytest.raises(UserError) as caught:
        verify(result)
    said = [problem.what for problem in caught.value.problems]
    assert "lacks config.json, or a part of it" in said
    assert "lacks report.md, or a part of it" in said
    assert "model.safetensors is not as it was written" in said


def test_a_score_that_does_not_follow_from_the_rows(result):
    """Of an evaluation, which lists no files: the hashes say nothing then."""
    for name in ("run.json", "model.safetensors"):
        (result / name).unlink()
    assert verify(result).files == 0
    file = result / "scores.json"
    record = json.loads(file.read_text())
    score = record["models"]["unlearned"]["forget"]["probability"]
    true, score["value"] = score["value"], 0.001
    file.write_text(json.dumps(record))
    with pytest.raises(UserError) as caught:
        verify(result)
    (problem,) = caught.value.problems
    assert problem.what == (
        f"models.unlearned.forget.probability.value is 0.001, and the rows give {true}"
    )


def test_folders_that_are_no_results(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        verify(tmp_path / "none")
    with pytest.raises(UserError, match="lists no files and holds no rows"):
        verify(tmp_path)


def test_a_list_that_was_changed_is_no_list(result):
    file = result / "run.json"
    file.write_text(file.read_text().replace("config.json", "konfig.json"))
    with pytest.raises(UserError, match="is not as it was written"):
        verify(result)
