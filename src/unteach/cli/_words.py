"""Single lines to stderr: what goes on, and what is wrong; nothing in them acts on a terminal."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from unteach.errors import Problem
from unteach.escaping import visible


def say(text: str) -> None:
    """One line to stderr, whatever the names in it hold."""
    print(visible(text), file=sys.stderr, flush=True)  # noqa: T201


def plain(text: object) -> Text:
    """For rich: no escape of a terminal's, and no markup."""
    return Text(visible(text))


def say_problems(problems: Iterable[Problem], console: Console | None = None) -> None:
    """All problems, each with its hint, to stderr."""
    console = console or Console(stderr=True, soft_wrap=True, highlight=False)
    for problem in problems:
        note = problem.kind == "note"
        mark = Text("note" if note else "error", "yellow" if note else "red")
        console.print(mark, plain(f"{problem.where}: {problem.what}"))
        if problem.hint:
            console.print(Text(f"      hint: {visible(problem.hint)}", "dim"))
