"""`unteach screen`: the next training set against what was removed."""

import json as json_
from collections import Counter
from typing import Annotated

import typer

from unteach.cli import ledger as options
from unteach.errors import Problem, UserError
from unteach.escaping import visible

FOUND = 3  # exit code


def screen(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Training data, or dataset ids.")
    ],
    ledger: options.Where = options.DEFAULT,
    key: options.Key = None,
    similar: Annotated[
        float,
        typer.Option(min=0.1, metavar="SHARE", help="Of 5-grams that near texts share; 2: none."),
    ] = 0.4,
    parts: Annotated[
        str, typer.Option(metavar="NAMES", help="Of the removed records that are looked for.")
    ] = "whole,answer,question",
    json: options.Json = False,
) -> None:
    """Look through training data for what was removed, by the fingerprints in a ledger.

    Found are records that are the same letter by letter, have the same words, stand inside a longer
    text, or are alike; whole, or an answer or a question alone. Lines are named, never texts.
    Requests that were withdrawn do not count.

    Exit code 0 when nothing is found, 3 when something is, 1 when a file cannot be read, 2 when it
    was asked wrongly.
    """
    from unteach.cli._show import say, say_problems
    from unteach.data import read
    from unteach.ledger import Ledger
    from unteach.ledger.screen import KINDS, PARTS, Screen

    wanted = [name.strip() for name in parts.split(",")]
    if unknown := [name for name in wanted if name not in PARTS]:
        hint = f"give some of {', '.join(PARTS)}"
        raise UserError(Problem(f"--parts {unknown[0]}", "is no part", hint, "request"))
    with Ledger(ledger) as opened:
        secret = opened.require_key(options.key_of(ledger, key))
        looking = Screen(opened.prints(), secret, similar=similar, parts=wanted)
    hits, lines, wrong = [], 0, []
    for file in files:
        examples, problems = read(file, "train")
        say_problems(p for p in problems if p.kind == "note")
        wrong += [p for p in problems if p.kind != "note"]
        lines += len(examples)
        hits += looking.hits(examples)
    if wrong:
        raise UserError(*wrong)
    if json:
        typer.echo(json_.dumps([dict(vars(hit)) for hit in hits], indent=1))
    else:
        for hit in hits:
            typer.echo(visible(hit))
    kinds = Counter(hit.kind for hit in hits)
    told = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind]) or "nothing"
    say(f"{lines} records were looked through: {told} of what was removed")
    if hits:
        raise typer.Exit(FOUND)
