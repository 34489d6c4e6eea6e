"""`unteach compare`: runs side by side, seeds folded into one line."""

from pathlib import Path
from typing import Annotated

import typer

from unteach.cli import _options as options


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="What `run` or `evaluate` wrote.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write scores.json and report.md.")
    ] = None,
    overwrite: options.Overwrite = False,
    json: Annotated[bool, typer.Option("--json", help="Print scores.json, no table.")] = False,
) -> None:
    """Put several runs into one table; runs of one method with other seeds become one line.

    Numbers of several runs are means, and their intervals those over runs. A number marked ~ is
    not to be told from the retrained model's: the difference lies inside its 95% interval.
    """
    from unteach.cli._show import say, show_table
    from unteach.evaluation.rescore import read_reports
    from unteach.evaluation.results import write
    from unteach.nouns import UserError
    from unteach.report import fold, to_json
    from unteach.rundir import check_out, staged

    if out and (problems := check_out(out, overwrite=overwrite)):
        raise UserError(*problems)
    report = fold(read_reports(folders))
    if out:
        with staged(out) as stage:
            write(report, {}, stage)
    if json:
        typer.echo(to_json(report))
    else:
        show_table(report)
    if out:
        say(f"scores and report.md are in {out}")
