"""`unteach methods`: which there are, and one page about each."""

import json as json_
from dataclasses import asdict
from typing import Annotated, Any

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options


def methods(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="One page on it.", autocompletion=complete.method_names
        ),
    ] = None,
    plugin: options.Plugins = None,
    json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """List the methods with their papers and options, or print one page with its BibTeX."""
    from unteach.methods import load_plugin
    from unteach.methods._headers import known, made

    for file in plugin or []:
        load_plugin(file)
    methods = known(plugins=bool(plugin))
    if name:
        made(methods, name, {})  # an unknown name is explained here
    found = {key: methods.get(key) for key in ([name] if name else methods)}
    if json:
        listed = [_described(key, cls) for key, cls in found.items()]
        typer.echo(json_.dumps(listed, indent=2, ensure_ascii=False))
    elif name:
        typer.echo(_page(name, found[name]))
    else:
        _table(found)


def _described(name: str, cls: Any) -> dict:
    from unteach.methods import options_of

    return {
        "name": name,
        "summary": _summary(cls),
        "paper": {**asdict(cls.paper), "url": cls.paper.url},
        "options": options_of(cls),
        "reads": sorted(cls.reads),
        "defaults": asdict(cls.plan),
    }


def _summary(cls: Any) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _page(name: str, cls: Any) -> str:
    from inspect import cleandoc

    from unteach.methods import Method, options_of

    plan, paper = cls.plan, cls.paper
    lines = [cls.label or name, "", cleandoc(cls.__doc__ or ""), "", "Options (--set method.x=...)"]
    for option in options_of(cls):
        choices = f" [{', '.join(option['choices'])}]" if option["choices"] else ""
        lines.append(f"  {option['name']} = {option['default']}{choices}: {option['help']}")
    if not options_of(cls):
        lines.append("  none")
    trained = "all weights" if plan.adapter == "full" else f"LoRA, {plan.init} start"
    if cls.trainable is not Method.trainable:
        trained = "some weights, see above"
    stop = f", stops at forget probability {plan.stop_at}" if plan.stop_at else ""
    stop += ", drawn back to the holdout" if plan.draw_back else ""
    retain = f"{plan.retain} x {plan.retain_weight:g}" if plan.retain != "none" else "none"
    lines += [
        "",
        f"Defaults: trains {trained}; retain term {retain}; {plan.epochs} epochs{stop};",
        "  learning rate by the model's width, 1e-5 at 2048 and ten times that for adapters",
        f"Paper: {paper.title}. {paper.authors}, {paper.year}. {paper.url}",
        f"Where: {paper.where}",
        "",
        paper.bibtex(),
    ]
    return "\n".join(lines)


def _table(methods: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "what it does", "keeps the rest by", "paper"):
        table.add_column(column, overflow="fold")
    for name, cls in methods.items():
        kept = "-" if cls.plan.retain == "none" else f"retain {cls.plan.retain}"
        table.add_row(name, _summary(cls), kept, f"arXiv {cls.paper.arxiv}")
    Console().print(table)
    typer.echo("\n`unteach methods NAME` says more about one of them.")
