"""`unteach compare`: runs side by side, seeds folded into one line."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _options as options
from unteach.escaping import visible


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="What `run` or `evaluate` wrote.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write scores.json, report.md and report.html."),
    ] = None,
    overwrite: options.Overwrite = False,
    json: Annotated[bool, typer.Option("--json", help="Print scores.json, no table.")] = False,
) -> None:
    """Put several runs into one table; runs that differ by seed alone become one line.

    Where one method was run with several settings, what differs from its first run stands behind
    its name. Numbers of several runs are means, with intervals over runs. A number marked ~
    is not to be told from the retrained model's: the difference lies inside its
    95% interval. A copy of a run, such as `unteach score` makes, is no second run.
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
        typer.echo(to_json(report))
    else:
        show_table(report)
        _say_runs(report)
    if out:
        say(f"scores, report.html and report.md are in {out}")


def _say_runs(report: Any) -> None:
    """Of which models the numbers are means, so that no one takes one run for three."""
    from unteach.report import FOLDED

    counts = {name: report.facts.get(f"{FOLDED}{name}", 1) for name in report.models}
    folded = ", ".join(f"{name} of {count}" for name, count in counts.items() if count > 1)
    if folded:
        typer.echo(visible(f"means over runs: {folded}"))
