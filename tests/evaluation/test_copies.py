"""A copy of a run, such as `score` makes, is no second run."""

from pathlib import Path

from unteach.evaluation.copies import once
from unteach.files.rows import write_rows
from unteach.report import Report
from unteach.types import Row, Score


def folder(parent: Path, name: str, *seeds: float, rows: bool = True) -> tuple[Path, Report]:
    """A run with a yardstick that all share, and a model for each seed."""
    models = {"original": 0.9} | {f"m{k}": seed for k, seed in enumerate(seeds)}
    for model, value in models.items() if rows else ():
        group = [Row(id="forget-0", tokens=9, logp=-value)]
        write_rows(parent / name / "rows" / f"{model}.jsonl", {"forget": group}, {"suite": name})
    scores = {m: {"forget": {"probability": Score(round(v, 1))}} for m, v in models.items()}
    return parent / name, Report(models=scores, label=name)


def test_the_same_rows_count_once_and_it_is_told(tmp_path):
    given = [folder(tmp_path, "a", 0.11), folder(tmp_path, "b", 0.11), folder(tmp_path, "c", 0.12)]
    kept, notes = once(*zip(*given, strict=True))
    assert [report.label for report in kept] == ["a", "c"]
    (note,) = notes
    assert (note.where, note.kind) == (str(tmp_path / "b"), "note")
    assert note.what == f"holds the very rows of {tmp_path / 'a'}: one run, counted once"


def test_a_folder_given_twice_is_one(tmp_path):
    given = [folder(tmp_path, "a", 0.1)] * 3
    kept, notes = once(*zip(*given, strict=True))
    assert (len(kept), len(notes)) == (1, 2)


def test_one_of_two_models_that_differs_makes_two_runs(tmp_path):
    given = [folder(tmp_path, "a", 0.1, 0.2), folder(tmp_path, "b", 0.1, 0.3)]
    assert len(once(*zip(*given, strict=True))[0]) == 2
    given = [folder(tmp_path, "c", 0.1, 0.2), folder(tmp_path, "d", 0.1)]
    assert len(once(*zip(*given, strict=True))[0]) == 1


def test_without_rows_the_scores_tell(tmp_path):
    given = [folder(tmp_path, n, v, rows=False) for n, v in (("a", 0.1), ("b", 0.1), ("c", 0.2))]
    assert [report.label for report in once(*zip(*given, strict=True))[0]] == ["a", "c"]


def test_an_original_alone_says_nothing(tmp_path):
    given = [folder(tmp_path, "a"), folder(tmp_path, "b")]
    assert len(once(*zip(*given, strict=True))[0]) == 2
