"""`unteach init`: a request file to fill in."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    file: Annotated[
        Path, typer.Argument(metavar="[REQUEST.yaml]", help="The file to write.")
    ] = Path("request.yaml"),
) -> None:
    """Write a request file with every setting in it, to fill in and give to check and run.

    What must be filled in stands in capitals; gates are declared, and every other setting is a
    comment that shows its default and says what it does.
    """
    from unteach.errors import Problem, UserError
    from unteach.files import in_words
    from unteach.settings.listing import commented

    try:
        with in_words(file), file.open("x", encoding="utf-8") as opened:
            opened.write(commented())
    except FileExistsError:
        hint = "give another name, or remove it"
        raise UserError(Problem(str(file), "is there already", hint, "request")) from None
    typer.echo(f"{file}: fill in what stands in capitals, then: unteach check {file}")
