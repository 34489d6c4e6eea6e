"""Scores from rows alone, on a machine without torch."""

import subprocess
import sys
from dataclasses import replace

import pytest
from evaluation_support import asked_of

from unteach.evaluation.rescore import read_report, rescore
from unteach.evaluation.run import evaluate
from unteach.nouns import UserError


@pytest.fixture
def done(files, tiny_folder, other_folder):
    asked = asked_of(files, model=tiny_folder, original=str(other_folder))
    return evaluate(asked), files / "out"


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
    with pytest.raises(UserError, match="holds no rows"):
        rescore(tmp_path / "nowhere", tmp_path / "again")
    with pytest.raises(UserError, match="is the folder itself"):
        rescore(done[1], done[1], overwrite=True)
    with pytest.raises(UserError, match="is not empty"):
        rescore(done[1], tmp_path)
    file = done[1] / "rows" / "model.jsonl"
    file.write_text(file.read_text() + "{]\n")
    lines = file.read_text().count("\n")
    with pytest.raises(UserError, match=rf"model\.jsonl:{lines}: is no row"):
        rescore(done[1], tmp_path / "again")
    assert not (tmp_path / "again").exists()
    file.write_text('{"about": {"schema": 9}}\n')
    with pytest.raises(UserError, match="schema 9; this release reads 1"):
        rescore(done[1], tmp_path / "again")
