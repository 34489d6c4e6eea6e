"""The pages of docs/reference from the code: `python benchmarks/reference_pages.py` writes them."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import unteach
from unteach.cli import app
from unteach.methods import METHODS, options_of
from unteach.metrics import COMPARISONS, METRICS
from unteach.settings.listing import settings
from unteach.suites import SUITES
from unteach.types import Paper

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE = "This page is made from the code by `python benchmarks/reference_pages.py`.\n"


def pages() -> dict[str, str]:
    """Each page by its file name."""
    return {
        "settings.md": _settings(),
        "commands.md": _commands(),
        "python.md": _python(),
        "papers.md": _papers(),
    }


def _settings() -> str:
    lines = ["# Settings", "", MADE]
    lines += [
        "In a request file (`unteach init` writes one with all of them), or as `--set NAME=VALUE`.",
        "The first ones are flags of `unteach run` too. `unteach settings --schema` prints a JSON",
        "Schema for editors.",
        "",
        "| name | value | default | meaning |",
        "|---|---|---|---|",
    ]
    for setting in settings():
        default = "required" if setting.required else _cell(setting.default)
        cells = (f"`{setting.name}`", _text(setting.kind), default, _text(setting.meaning))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Options of the methods", "", "As `--set method.NAME=VALUE`.", ""]
    lines += ["| method | option | default | meaning |", "|---|---|---|---|"]
    for name in METHODS:
        for option in options_of(METHODS.get(name)):
            meaning = _text(option["help"])
            if option["choices"]:
                meaning += f" ({', '.join(map(str, option['choices']))})"
            cells = (f"`{name}`", f"`{option['name']}`", _cell(option["default"]), meaning)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _commands() -> str:
    lines = ["# Commands", "", MADE, "[Exit codes](../exit-codes.md) are the same for all.", ""]
    for name, command in _walk(typer.main.get_command(app), "unteach"):
        lines += [f"## {name}", "", *_prose(command.help or ""), ""]
        options = [p for p in command.params if getattr(p, "help", None) and "--help" not in p.opts]
        if options:
            lines += ["| option | meaning |", "|---|---|"]
            lines += [f"| {_named(p)} | {_text(p.help)} |" for p in options] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _walk(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for key, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from _walk(command, f"{name} {key}")
        else:
            yield f"{name} {key}", command


def _prose(text: str) -> list[str]:
    """A help text, its examples and exit codes as code."""
    found: list[str] = []
    for part in re.split(r"\n\s*\n", text.replace("\b", "").strip()):
        head, _, rest = part.partition("\n")
        if head.strip() in ("Examples:", "Exit codes:"):
            code = [f"    {line.strip()}" for line in rest.splitlines()]
            found += [head.strip(), "", *code, ""]
        else:
            found += [" ".join(part.split()), ""]
    return found[:-1]


def _named(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join(f"`{opt}`" for opt in (*parameter.opts, *parameter.secondary_opts))
    return f"{names} `{parameter.metavar}`" if parameter.metavar else names


def _python() -> str:
    lines = [
        "# Python",
        "",
        MADE,
        "What `import unteach` has. Modules load when they are used.",
        "",
    ]
    for name in unteach.__all__:
        found = getattr(unteach, name)
        if name.startswith("__"):
            continue
        if inspect.ismodule(found):
            what = (found.__doc__ or "").strip().splitlines()[0]
            lines += [f"## unteach.{name}", "", what, ""]
            continue
        lines += [f"## unteach.{name}{_signature(found)}", "", "```text"]
        lines += [inspect.cleandoc(found.__doc__ or ""), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _signature(found: Any) -> str:
    names = inspect.signature(found).parameters if not inspect.isclass(found) else {}
    return f"({', '.join(names)})" if names else ""


def _papers() -> str:
    found: dict[str, tuple[Paper, list[str]]] = {}
    kinds: tuple[tuple[Any, str], ...] = (
        (METHODS, "method"), (METRICS, "metric"), (COMPARISONS, "metric"), (SUITES, "suite"),
    )  # fmt: skip
    for registry, kind in kinds:
        for name in registry:
            item = registry.get(name)
            papers = getattr(item, "papers", None) or (getattr(item, "paper", None),)
            for paper in papers:
                if paper:
                    found.setdefault(paper.arxiv, (paper, []))[1].append(f"{kind} `{name}`")
    lines = ["# Papers", "", MADE, "Each report cites those that its run used.", ""]
    for _, (paper, users) in sorted(found.items()):
        venue = f" {paper.venue}." if paper.venue else ""
        where = ", ".join(dict.fromkeys(users))
        cited = f"[{paper.title}]({paper.url}). {paper.authors}, {paper.year}.{venue}"
        lines.append(f"- {cited} Used by {where}.")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _cell(value: Any) -> str:
    if value in (None, "", [], {}, ()):
        return "-"
    return f"`{str(value).replace('|', '/')}`"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
