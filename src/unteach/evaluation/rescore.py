"""`unteach score`: scores again from rows on disk; no model, no torch."""

from dataclasses import replace
from pathlib import Path

from unteach.evaluation.results import judge, write
from unteach.nouns import Problem, UserError
from unteach.report import Report, from_json
from unteach.rowsfile import Groups, read_rows
from unteach.rundir import check_out, staged

FIRST, LAST = "original", "retrained"


def rescore(folder: Path, out: Path, *, compat: str = "", overwrite: bool = False) -> Report:
    """Judge the rows of an evaluation or a run anew, and write scores and report into `out`.

    Args:
        folder: what `unteach evaluate` or `unteach run` wrote; it is left as it is.
        out: the folder to make.
        compat: a project whose variants of metrics are computed too.
        overwrite: replace what stands in `out`.

    Raises:
        UserError: there are no rows, or they cannot be read.
    """
    problems = check_out(out, overwrite=overwrite)
    if out.resolve() == folder.resolve():
        problems = [Problem(f"--out {out}", "is the folder itself", "give another", "request")]
    if problems:
        raise UserError(*problems)
    rows, about = rows_in(folder)
    report = replace(_before(folder), **judge(rows, compat=compat))
    with staged(out) as stage:
        write(report, rows, stage, about=about)
    return report


def rows_in(folder: Path) -> tuple[dict[str, Groups], dict]:
    """The rows of every model in a folder, the original first and the retrained one last."""
    files = sorted((folder / "rows").glob("*.jsonl"))
    if not files:
        hint = "give a folder that `unteach evaluate` or `unteach run` wrote"
        raise UserError(Problem(str(folder), "holds no rows", hint, "request"))
    rows, about = {}, {}
    for file in sorted(files, key=lambda f: (f.stem == LAST, f.stem != FIRST)):
        rows[file.stem], about = read_rows(file)
    about.pop("schema", None)
    return rows, about


def read_report(folder: Path) -> Report:
    """The report in a folder. Raises UserError when there is none that this release reads."""
    file = folder / "scores.json"
    try:
        return from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "give a folder that `unteach evaluate` or `unteach run` wrote"
        what = f"cannot be read ({type(error).__name__})"
        raise UserError(Problem(str(file), what, hint, "request")) from None


def _before(folder: Path) -> Report:
    """What stands in the folder beside the rows, if anything does."""
    there = (folder / "scores.json").exists()
    return read_report(folder) if there else Report(models={}, label=folder.name)
