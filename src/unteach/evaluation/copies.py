"""Find result folders that hold the same run, such as copies or outputs of `score`."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.evaluation.results import ROWS
from unteach.files.rows import read_rows
from unteach.report import Report, to_json
from unteach.report.judge import others


def once(folders: Sequence[Path], reports: Sequence[Report]) -> tuple[list[Report], list[Problem]]:
    """Keep each run once, so that a mean over runs does not count copies.

    Two folders hold the same run if the rows of their models are equal; without rows, if all scores
    are equal. Rows of the original and of the retrained model are ignored: they are equal in any
    two runs.

    Args:
        folders: of the reports.
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
    """Hashes of the rows (or scores) of each model, without original and retrained."""
    return frozenset(_mark(folder, report, model) for model in others(report))


def _mark(folder: Path, report: Report, model: str) -> str:
    try:
        content = repr(read_rows(folder / ROWS / f"{model}.jsonl")[0])
    except UserError:  # no rows, or rows of another release
        content = to_json(Report(models={"": report.models[model]}))
    return sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
