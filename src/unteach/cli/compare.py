"""`unteach compare`: put several runs into one table, and average runs over seeds."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._options import argument, option
from unteach.escaping import visible


def compare(
    folders: Annotated[list[Path], argument("Folders that `run` or `evaluate` wrote.", "DIR...")],
    out: Annotated[
        Path | None,
        option("Also write scores.json, report.md and report.html to this folder.", "DIR"),
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Put several runs into one table; runs that differ only by seed become one line.

    Such a line has the means over the runs, with intervals over the runs. If a method was run with
    several settings, its name is followed by those that differ from its first run. A number marked
    ~ does not differ significantly from the retrained model's: the 95% interval of the difference
    contains 0. A copy of a run, such as one made by `unteach score`, is not counted twice.

    Examples:
      $ unteach compare npo-seed0 npo-seed1 npo-seed2 undial
      $ unteach compare runs/* --out comparison
    """
    from unteach.cli._show import say, say_problems, show_table
    from unteach.errors import UserError
    from unteach.evaluation.copies import once
    from unteach.evaluation.rescore import read_reports
    from unteach.evaluation.results import write
    from unteach.files import check_out, overlap, staged
    from unteach.report import fold, to_json

    if out:
        inside = overlap(out, [], [("folder", folder) for folder in folders])
        if problems := [*inside, *check_out(out, overwrite=overwrite)]:
            raise UserError(*problems)
    reports, notes = once(folders, read_reports(folders))
    say_problems(notes)
    report = fold(reports)
    report = replace(report, notes=(*report.notes, *map(str, notes)))
    if out:
        with staged(out, overwrite=overwrite) as stage:
            write(report, {}, stage)
    if json:
        show_document(to_json(report))
    else:
        show_table(report)
        _say_runs(report)
    if out:
        say(f"scores, report.html and report.md are in {out}")


def _say_runs(report: Any) -> None:
    """Print for which models the numbers are means, and over how many runs."""
    from unteach.report import FOLDED

    counts = {name: report.facts.get(f"{FOLDED}{name}", 1) for name in report.models}
    folded = ", ".join(f"{name} of {count}" for name, count in counts.items() if count > 1)
    if folded:
        typer.echo(visible(f"means over runs: {folded}"))
