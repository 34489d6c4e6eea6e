"""Show what a registry holds: every entry in short, one entry in full, or all of it as JSON."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple

import typer

from unteach.cli._json import show_json
from unteach.errors import Problem, UserError
from unteach.registry import Registry


class Entry(NamedTuple):
    """Texts that describe one item of a registry.

    Attributes:
        title: one line with its name and what it is.
        options: one line for each of its options.
        page: further lines, which are shown when the user gives its name.
        data: the same as plain values, for `--json`.
    """

    title: str
    options: list[str]
    page: list[str]
    data: dict[str, Any]


def listed(
    command: str,
    registries: list[Registry[Any]],
    described: Callable[[Any], Entry],
    name: str | None,
    *,
    json: bool,
) -> None:
    """Print the entries of registries.

    Args:
        command: the command's name, for error messages.
        registries: where to look names up; more than one if a command lists several kinds.
        described: function from a registered thing to what is shown of it.
        name: the only entry to show; None for all.
        json: whether to print a JSON list instead.

    Raises:
        UserError: no registry has the name.
    """
    found = {key: registry.get(key) for registry in registries for key in registry}
    if name and name not in found:
        try:
            registries[0].get(name)
        except KeyError as error:
            raise UserError(Problem(command, str(error.args[0]), "", "request")) from None
    entries = [described(thing) for key, thing in found.items() if name in (None, key)]
    if json:
        show_json([entry.data for entry in entries])
        return
    for entry in entries:
        lines = [entry.title, *(f"    {line}" for line in entry.options)]
        typer.echo("\n".join([*lines, *(["", *entry.page] if name and entry.page else [])]))


def class_entry(cls: Any, setting: str, helps: dict[str, str]) -> Entry:
    """Return what is shown of a registered dataclass: an attack or a selector.

    Args:
        cls: the class; its docstring's first line is the summary.
        setting: how one of its options is set, with `{}` for the option's name.
        helps: what each option means, by name.
    """
    from inspect import cleandoc

    doc = cleandoc(cls.__doc__ or "")
    options = {field.name: _text(field.default) for field in fields(cls)}
    paper = getattr(cls, "paper", None)
    text = doc.partition("\n")[2].partition("Attributes:")[0].strip()
    page = [*text.splitlines(), ""] if text else []
    if paper:
        where = f"Paper: {paper.title}. {paper.authors}, {paper.year}. {paper.url}"
        page += [where, f"Where: {paper.where}", "", paper.bibtex()]
    data = {
        "name": cls.name,
        "summary": doc.splitlines()[0],
        "options": [
            {"name": option, "default": default, "help": helps.get(option, "")}
            for option, default in options.items()
        ],
        "paper": paper.url if paper else None,
    }
    lines = [
        f"--set {setting.format(option)}={default}: {helps.get(option, '')}".removesuffix(": ")
        for option, default in options.items()
    ]
    return Entry(f"{cls.name}: {doc.splitlines()[0]}", lines, page, data)


def _text(default: Any) -> str:
    """Return a default as it is written on the command line."""
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
