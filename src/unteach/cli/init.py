"""`unteach init`: write a request file to fill in."""

from pathlib import Path
from typing import Annotated

from unteach.cli import _options as options
from unteach.cli._json import show_either
from unteach.cli._options import argument


def init(
    file: Annotated[Path, argument("The file to write.", "[REQUEST.yaml]")] = Path("request.yaml"),
    json: options.Json = False,
) -> None:
    """Write a request file with all settings, to fill in for `check` and `run`.

    Values to fill in are in capitals. The default gates are declared; every other setting is a
    comment with its default and its meaning.

    Examples:
      $ unteach init
      $ unteach init request.yaml
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
    following = f"unteach check {file}"
    told = f"{file}: fill in the values in capitals, then: {following}"
    show_either({"file": str(file), "next": following}, told, json=json)
