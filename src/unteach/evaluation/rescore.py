"""`unteach score`: compute scores again from rows on disk; needs no model and no torch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.evaluation.results import declared, judge, write
from unteach.files import check_out, overlap, staged
from unteach.files.rows import Groups, read_rows
from unteach.report import FOLDED, Report, from_json

FIRST, LAST = "original", "retrained"


def rescore(folder: Path, out: Path, *, compat: str = "", overwrite: bool = False) -> Report:
    """Score the rows of an evaluation or a run again, and write scores and report into `out`.

    Args:
        folder: a result of `unteach evaluate` or `unteach run`; it is not changed.
        out: the folder to create.
        compat: a project whose variants of metrics are computed too.
        overwrite: replace the contents of `out`.

    Raises:
        UserError: there are no rows, or they cannot be read.
    """
    if problems := overlap(out, [], [("folder", folder)]) or check_out(out, overwrite=overwrite):
        raise UserError(*problems)
    rows, about = rows_in(folder)
    before = _before(folder)
    order = [*before.models]
    rows = dict(sorted(rows.items(), key=lambda r: order.index(r[0]) if r[0] in order else -1))
    attacks = replace(before.attacks, beside=()) if before.attacks else None  # their files stay
    gates, earlier = declared(before), before.earlier
    scores = judge(rows, compat=compat, gates=gates, earlier=earlier)
    report = replace(before, **scores, attacks=attacks)
    with staged(out, overwrite=overwrite) as stage:
        write(report, rows, stage, about=about)
    return report


def rows_in(folder: Path) -> tuple[dict[str, Groups], dict]:
    """The rows of every model in a folder, the original first and the retrained one last.

    Raises:
        UserError: there are no rows, a file is damaged, or files are of different examples.
    """
    files = sorted((folder / "rows").glob("*.jsonl"))
    if not files:
        hint = "give a folder that `unteach evaluate` or `unteach run` wrote"
        what = "holds no rows" if folder.exists() else "does not exist"
        raise UserError(Problem(str(folder), what, hint, "request"))
    files.sort(key=lambda f: (f.stem == LAST, f.stem != FIRST))
    found, problems = {}, []
    for file in files:
        try:
            found[file] = read_rows(file)
        except UserError as error:
            problems += error.problems
    if problems := problems or _not_alike(found):
        raise UserError(*problems)
    about = {k: v for k, v in found[files[0]][1].items() if k != "schema"}
    return {file.stem: rows for file, (rows, _) in found.items()}, about


def _not_alike(found: dict[Path, tuple[Groups, dict]]) -> list[Problem]:
    """Problems for files whose suite or examples differ from those of the first file."""
    (first, (rows, about)), *others = found.items()
    wanted, problems = _answers(rows), []
    for file, (rows, of) in others:
        if of != about:
            problems.append((file, f"is of other questions than {first.name}"))
        elif differ := len(wanted ^ _answers(rows)):
            problems.append((file, f"answers {differ} questions more or fewer than {first.name}"))
    hint = "write the rows anew, all with one `unteach evaluate`"
    return [Problem(str(file), what, hint, "request") for file, what in problems]


def _answers(rows: Groups) -> set[tuple[str, str]]:
    return {(name, row.id) for name, group in rows.items() for row in group if row.kind == "answer"}


def read_reports(folders: Sequence[Path]) -> list[Report]:
    """The reports of all folders, to be merged into one.

    Raises:
        UserError: a report cannot be read or is itself of several runs, or evaluations are of
            different suites or options.
    """
    reports = [read_report(folder) for folder in folders]
    both = zip(folders, reports, strict=True)
    if means := [f for f, r in both if any(fact.startswith(FOLDED) for fact in r.facts)]:
        what, hint = "is a comparison, not a run", "give the folders that it was made of"
        raise UserError(*(Problem(str(folder), what, hint, "request") for folder in means))
    asked = {r.label: str(f) for r, f in zip(reports, folders, strict=True) if "suite" in r.facts}
    if len(asked) > 1:
        what = "; ".join(f"{folder} answers {label}" for label, folder in asked.items())
        hint = "numbers of different questions make no mean: compare those of one suite"
        raise UserError(Problem("compare", what, hint, "request"))
    return reports


def read_report(folder: Path) -> Report:
    """The report in a folder. Raises UserError when there is none that this release reads."""
    file = folder / "scores.json"
    try:
        return from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "give a folder that `unteach evaluate` or `unteach run` wrote"
        why = error.strerror if isinstance(error, OSError) else error
        what = f"cannot be read ({type(error).__name__}: {why})"
        what = "does not exist" if isinstance(error, FileNotFoundError) else what
        raise UserError(Problem(str(file), what, hint, "request")) from None


def _before(folder: Path) -> Report:
    """The folder's earlier report, or an empty one where there is none."""
    exists = (folder / "scores.json").exists()
    return read_report(folder) if exists else Report(models={}, label=folder.name)
