"""`unteach score`: scores again, from rows alone."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from unteach.cli import _options as options


def score(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `evaluate` or `run` wrote.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to make.")],
    compat: Annotated[
        Literal["open-unlearning"] | None,
        typer.Option(help="Also that project's variants of the metrics."),
    ] = None,
    overwrite: options.Overwrite = False,
    json: Annotated[bool, typer.Option("--json", help="Print scores.json, no table.")] = False,
) -> None:
    """Make scores and report anew from the rows of a folder: no model, no torch, no data."""
    from unteach.cli._show import say, show_table
    from unteach.evaluation.rescore import rescore
    from unteach.report import to_json

    report = rescore(folder, out, compat=compat or "", overwrite=overwrite)
    if json:
        typer.echo(to_json(report))
    else:
        show_table(report)
    say(f"scores, report.html and report.md are in {out}")
