"""`unteach suites`: what `unteach evaluate` can ask."""

import json as json_
from typing import Annotated

import typer

from unteach.cli._complete import suite_names


def suites(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Only this one.", autocompletion=suite_names),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """List the suites with their options, or one of them."""
    from unteach.errors import Problem, UserError
    from unteach.suites import SUITES, Suite

    try:
        found = [SUITES.get(key) for key in ([name] if name else SUITES)]
    except KeyError as error:
        raise UserError(Problem("suites", str(error.args[0]), "", "request")) from None
    if json:
        typer.echo(json_.dumps([_described(suite) for suite in found], indent=2))
        return

    def lines(suite: Suite) -> list[str]:
        options = [
            f"    --set {name}={choice.default or '...'}"
            + (f" [{', '.join(choice.values)}]" if choice.values else "")
            + f": {choice.help}"
            for name, choice in suite.options.items()
        ]
        return [f"{suite.name} (version {suite.version}): {suite.help}", *options]

    typer.echo("\n".join(line for suite in found for line in lines(suite)))


def _described(suite) -> dict:
    return {
        "name": suite.name,
        "version": suite.version,
        "help": suite.help,
        "options": {
            name: {"help": choice.help, "default": choice.default, "values": list(choice.values)}
            for name, choice in suite.options.items()
        },
        "papers": [paper.url for paper in suite.papers],
    }
