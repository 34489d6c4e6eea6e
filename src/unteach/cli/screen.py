"""`unteach screen`: search training data for removed records."""

from collections import Counter
from typing import Annotated

import typer

from unteach.cli import ledger as options
from unteach.cli._json import show_json
from unteach.cli._options import argument, option
from unteach.errors import Problem, UserError
from unteach.escaping import visible

FOUND = 3  # exit code if something is found


def screen(
    files: Annotated[list[str], argument("Files of training data, or dataset ids.", "FILE...")],
    ledger: options.Where = options.DEFAULT,
    key: options.Key = None,
    similar: Annotated[
        float,
        option(
            "Share of equal word 5-grams from which texts count as near; 2 turns it off.",
            "SHARE",
            min=0.1,
        ),
    ] = 0.4,
    parts: Annotated[
        str, option("Parts of the removed records to search for.", "NAMES")
    ] = "whole,answer,question",
    json: options.Json = False,
) -> None:
    """Search training data for removed records, by the fingerprints in a ledger.

    A removed record, or its question or answer alone, is found if it occurs letter by letter, with
    the same words, inside a longer text, or in similar words. Hits are reported by file and line,
    without the text. Withdrawn requests are left out.

    Examples:
      $ unteach screen train.jsonl --ledger removals.ledger
      $ unteach screen train-1.jsonl train-2.jsonl --parts whole,answer --json

    Exit codes:
      0  nothing was found
      1  a file cannot be read
      2  the command is wrong
      3  something was found
    """
    from unteach.cli._show import say, say_problems
    from unteach.data import read
    from unteach.ledger import Ledger
    from unteach.ledger.screen import KINDS, PARTS, Screen

    wanted = [name.strip() for name in parts.split(",")]
    if unknown := [name for name in wanted if name not in PARTS]:
        hint = f"give some of {', '.join(PARTS)}"
        raise UserError(Problem(f"--parts {unknown[0]}", "is no part of a record", hint, "request"))
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
        show_json([dict(vars(hit)) for hit in hits])
    else:
        for hit in hits:
            typer.echo(visible(hit))
    kinds = Counter(hit.kind for hit in hits)
    told = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind]) or "nothing"
    say(f"{lines} records were searched; removed records found: {told}")
    if hits:
        raise typer.Exit(FOUND)
