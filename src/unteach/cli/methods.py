"""`unteach methods`: list the methods, or print one page about a method."""

from dataclasses import asdict
from textwrap import wrap
from typing import Annotated, Any

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options
from unteach.cli._json import show_json
from unteach.cli._options import argument, option


def methods(
    name: Annotated[
        str | None,
        argument(
            "Print one page about this method.", "[NAME]", autocompletion=complete.method_names
        ),
    ] = None,
    plugin: options.Plugins = None,
    json: Annotated[bool, option("Print a JSON list.", flags="--json")] = False,
) -> None:
    """List the unlearning methods with their papers, or print one page with options and BibTeX.

    Examples:
      $ unteach methods
      $ unteach methods npo
      $ unteach run --method npo --set method.beta=0.2 ...
    """
    from unteach.methods import load_plugin
    from unteach.methods._headers import known, made

    for file in plugin or []:
        load_plugin(file)
    methods = known(plugins=bool(plugin))
    if name:
        made(methods, name, {})  # raises for an unknown name
    found = {key: methods.get(key) for key in ([name] if name else methods)}
    if json:
        listed = [_described(key, cls) for key, cls in found.items()]
        show_json(listed)
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
        "with_holdout": _with_holdout(cls),
        "paper_settings": cls.paper_settings,
    }


def _summary(cls: Any) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _page(name: str, cls: Any) -> str:
    from inspect import cleandoc

    from unteach.methods import Method, options_of

    plan, paper = cls.plan, cls.paper
    lines = [cls.label or name, "", cleandoc(cls.__doc__ or ""), "", "Options (--set method.x=...)"]
    for one in options_of(cls):
        choices = f" [{', '.join(one['choices'])}]" if one["choices"] else ""
        lines.append(f"  {one['name']} = {one['default']}{choices}: {one['help']}")
    if not options_of(cls):
        lines.append("  none")
    trained = "all weights" if plan.adapter == "full" else f"LoRA, {plan.init} start"
    if cls.trainable is not Method.trainable:
        trained = "some of the weights, see above"
    usual = cls().training_defaults()
    made = "" if usual.rounds > 1 else ", also to a made holdout's"
    draws = f"; drawn back to the holdout's level{made}" if plan.draw_back else ""
    retain = f"{plan.retain} x {plan.retain_weight:g}" if plan.retain != "none" else "none"
    lines += [
        "",
        *_wrapped(
            f"Defaults: trains {trained}; retain term {retain}; {_length(usual)}{draws}; learning "
            f"rate by the model's width, at 2048 {plan.rate_at_2048 or 1e-5:g} for all weights and "
            "1e-4 for adapters"
        ),
        *_changed(cls, "With --holdout", holdout=True, retain=True),
        *_changed(cls, "Without --retain", holdout=False, retain=False),
        *_published(cls),
        f"Paper: {paper.title}. {paper.authors}, {paper.year}. {paper.url}",
        f"Where: {paper.where}",
        "",
        paper.bibtex(),
    ]
    return "\n".join(lines)


def _length(plan: Any) -> str:
    """How long a method trains with these defaults, in words."""
    if plan.rounds > 1:
        return (
            f"{plan.epochs} epochs, run up to {plan.rounds} times until the forget answers are no "
            "likelier than the level; steps shrink with the gradient "
            f"(train.adam_epsilon={plan.adam_epsilon})"
        )
    stop = f", stops at forget probability {plan.stop_at:g}" if plan.stop_at else ""
    return f"{plan.epochs} epochs{stop}"


def _changed(cls: Any, given: str, *, holdout: bool, retain: bool) -> list[str]:
    """What is the default with a holdout or without a retain file only; empty if nothing."""
    options = cls.defaults_for(retain=retain, holdout=holdout)
    listed = [f"method.{name}={value}" for name, value in options.items()]
    usual, plan = (cls(**some).training_defaults() for some in ({}, options))
    if plan != usual:
        faster = ", with larger steps on models narrower than 2048" * (plan.power > usual.power)
        listed.append(f"{_length(plan)}{faster}")
    return _wrapped(f"{given}: {'; '.join(listed)}") if listed else []


def _with_holdout(cls: Any) -> dict:
    options = cls.defaults_for(retain=True, holdout=True)
    return {"options": options, "defaults": asdict(cls(**options).training_defaults())}


def _published(cls: Any) -> list[str]:
    if not cls.paper_settings:
        return []
    listed = ", ".join(f"{name}={value}" for name, value in cls.paper_settings.items())
    return _wrapped(f"--preset paper: {listed}")


def _wrapped(text: str) -> list[str]:
    return wrap(text, 98, subsequent_indent="  ", break_long_words=False)


def _table(methods: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "what it does", "retain term", "paper"):
        table.add_column(column, overflow="fold")
    for name, cls in methods.items():
        kept = "-" if cls.plan.retain == "none" else cls.plan.retain
        table.add_row(name, _summary(cls), kept, f"arXiv {cls.paper.arxiv}")
    Console().print(table)
    typer.echo("\n`unteach methods NAME` prints the options and the paper of a method.")
