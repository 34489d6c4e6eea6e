"""Print messages and problems to stderr, with control characters escaped."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from unteach.errors import Problem
from unteach.escaping import visible


def say(text: str) -> None:
    """Print one line to stderr; control characters in it are escaped."""
    print(visible(text), file=sys.stderr, flush=True)  # noqa: T201


def plain(text: object) -> Text:
    """Return a text for rich without terminal escapes and without markup."""
    return Text(visible(text))


def say_problems(problems: Iterable[Problem], console: Console | None = None) -> None:
    """Print all problems to stderr, each with its hint."""
    console = console or Console(stderr=True, soft_wrap=True, highlight=False)
    for problem in problems:
        note = problem.kind == "note"
        mark = Text("note" if note else "error", "yellow" if note else "red")
        console.print(mark, plain(f"{problem.where}: {problem.what}"))
        if problem.hint:
            console.print(Text(f"      hint: {visible(problem.hint)}", "dim"))
