"""`unteach settings`: list every setting with its default, bounds and meaning."""

from typing import Annotated, Any

import typer

from unteach.cli._json import show_json
from unteach.cli._options import argument, option


def settings(
    name: Annotated[
        str | None, argument("A section, a setting, or part of a name.", "[NAME]")
    ] = None,
    json: Annotated[bool, option("Print a JSON list.", flags="--json")] = False,
    schema: Annotated[
        bool, option("Print the JSON Schema of request files, for editors.", flags="--schema")
    ] = False,
    scores_schema: Annotated[
        bool, option("A JSON Schema of scores.json, for programs.", flags="--scores-schema")
    ] = False,
) -> None:
    """List every setting of a request with its default, its bounds and its meaning.

    The options of a method are listed by `unteach methods NAME`, those of attacks by
    `unteach attacks`.

    Examples:
      $ unteach settings train
      $ unteach settings learning_rate
      $ unteach settings --schema > request.schema.json
    """
    from unteach.settings import listing as found

    if scores_schema:
        from unteach.report.files import scores_schema as of_scores

        show_json(of_scores())
        return
    if schema:
        show_json(found.schema())
        return
    listed = _named(found.settings(), name)
    if json:
        show_json([setting._asdict() for setting in listed])
        return
    _shown(listed)


def _named(listed: list[Any], name: str | None) -> list[Any]:
    """Return the settings of a section, or the one of that name, or those whose names have it."""
    from unteach.errors import Problem, UserError
    from unteach.registry import did_you_mean
    from unteach.settings.messages import told

    if not name:
        return listed
    names = [setting.name for setting in listed]
    of_section = [s for s in listed if s.name == name or s.name.startswith(f"{name}.")]
    if found := of_section or [s for s in listed if name in s.name]:
        return found
    parts = {part for known in names for part in (known, *known.split("."))}
    what = f"{told(name, parts)} is no setting"
    hint = did_you_mean(name, sorted(parts)) or "`unteach settings` lists all"
    raise UserError(Problem("settings", what, hint, "request"))


def _shown(listed: list[Any]) -> None:
    """Print each setting with its default and its valid values, and below it its meaning."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    for setting in listed:
        head = Text.assemble((setting.name, "bold"), f" = {_default(setting)}  ")
        console.print(head.append(f"({setting.kind})", "dim"))
        console.print(Padding(Text(setting.meaning), (0, 0, 0, 4)))
    typer.echo(
        "\n--set NAME=VALUE changes a setting; `unteach init` writes a request file with all."
    )


def _default(setting: Any) -> str:
    value = setting.default
    if setting.required:
        return "(required)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(map(str, value.values())) or "-"
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value in (None, []) else str(value)
