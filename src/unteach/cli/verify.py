"""`unteach verify`: whether a result is as it was written."""

from pathlib import Path
from typing import Annotated

import typer

SHOWN = 5  # files that are named


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `run` or `evaluate` wrote.")],
) -> None:
    """Check that a result is whole: every file by its hash, every score anew from the rows.

    Exit 0 when all is as it was written, 1 when something is not. The hashes are against accidents:
    whoever means harm can write new ones.
    """
    from unteach.cli._show import say
    from unteach.evaluation.verify import verify as check

    say("reading every file, and computing every score anew")
    found = check(folder)
    files = f"{found.files} files are as they were written" if found.files else "no file is listed"
    typer.echo(f"whole: {files}; {found.scores} numbers of scores.json follow from the rows")
    if found.surplus:
        more = f" and {len(found.surplus) - SHOWN} more" if len(found.surplus) > SHOWN else ""
        say(f"there since: {', '.join(found.surplus[:SHOWN])}{more}")
