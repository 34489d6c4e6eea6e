"""Folders that hold one and the same run: what `score` made of it, or a copy."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.evaluation.results import ROWS
from unteach.files.rows import read_rows
from unteach.report import Report, to_json
from unteach.report.judge import others


def once(folders: Sequence[Path], reports: Sequence[Report]) -> tuple[list[Report], list[Problem]]:
    """Each run once, for a mean over one run and its copy is of one run, and a note on each copy.

    Two folders hold one run where all that was asked of their models is the same, row by row; where
    there are no rows, where all scores are. What is asked of the original and of the retrained
    model is the same in any two runs, and does not count.

    Args:
        folders: where the reports are.
        reports: in the same order.

    Returns:
        The first report of each run, and a note for each folder that is left out.
    """
    kept: list[tuple[Path, Report, frozenset[str]]] = []
    notes = []
    for folder, report in zip(folders, reports, strict=True):
        marks = _marks(folder, report)
        same = next((f for f, _, before in kept if marks and marks <= before), None)
        if same is None:
            kept.append((folder, report, marks))
            continue
        what = f"holds the very rows of {same}: one run, counted once"
        notes.append(Problem(str(folder), what, "", "note"))
    return [report for _, report, _ in kept], notes


def _marks(folder: Path, report: Report) -> frozenset[str]:
    """Of each model that is judged, a hash of its rows, or of its scores."""
    return frozenset(_mark(folder, report, model) for model in others(report))


def _mark(folder: Path, report: Report, model: str) -> str:
    try:
        found = repr(read_rows(folder / ROWS / f"{model}.jsonl")[0])
    except UserError:  # none there, or of another release
        found = to_json(Report(models={"": report.models[model]}))
    return sha256(found.encode("utf-8", "surrogatepass")).hexdigest()
