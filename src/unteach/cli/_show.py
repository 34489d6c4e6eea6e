"""How the command line speaks: progress and problems to stderr, results to stdout."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from unteach.cli._progress import BarJobs, BarProgress, LineJobs, LineProgress, bars
from unteach.cli._words import plain, say, say_problems
from unteach.escaping import visible
from unteach.progress import ProgressListener
from unteach.report.labels import apart

__all__ = [
    "board", "grid_of", "hush", "say", "say_problems", "show_cells", "show_intake", "show_table",
    "shown_progress",
]  # fmt: skip

WIDE = 110
FEW = 4  # models whose table stands upright
GAP, LEAST, LINES = 2, 12, 6  # columns between two of a table; columns and lines for a name


def hush() -> None:
    """Keep the libraries' own bars, and warnings about their own code, from between our lines."""
    import warnings

    from transformers.utils import logging

    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say that it was stopped: by Ctrl-C, with which typer exits with 130, or by SIGTERM."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        say("")
        say("stopped")
        raise


@contextmanager
def shown_progress() -> Iterator[ProgressListener]:
    """Someone who shows progress: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        with _interruptible():
            yield LineProgress()
        return
    with _interruptible(), bars() as shown:
        listener = BarProgress(shown)
        yield listener
        listener.finish()


def show_table(report: Any) -> None:
    """What is wrong, then the scores that a layman understands: a line each, or one per model."""
    from unteach.report import gate_rows, what_is_wrong
    from unteach.report import table as rows_of
    from unteach.report.earlier import earlier_notes, earlier_rows, earlier_sentence
    from unteach.report.table import legend

    many = len(report.models) > FEW
    rows = rows_of(report, short=many)
    if not many:  # their names on top leave room for the questions in words
        rows = [list(column) for column in zip(*rows, strict=True)]
        rows[0][0] = ""
    console = Console()
    if not console.is_terminal:  # a file has no edge
        console.width = max(console.width, WIDE)
    for line in what_is_wrong(report):
        console.print(Text(visible(line), "yellow"), soft_wrap=True)
    if len(rows) > 1 and len(rows[0]) > 1:
        console.print(grid_of(fitted(rows, console.width, upright=not many)))
    for cells in report.tables.values():
        console.print(grid_of(cells))
    if report.earlier:
        console.print(Text(visible(earlier_sentence(report.earlier)), "bold"), soft_wrap=True)
        console.print(grid_of(earlier_rows(report.earlier)))
        for line in earlier_notes(report.earlier):
            console.print(Text(visible(line), "dim"), soft_wrap=True)
    if report.gates:
        console.print(grid_of(gate_rows(report.gates)))
    for line in dict.fromkeys(
        line for cells in (rows, *report.tables.values()) for line in legend(cells)
    ):
        console.print(Text(visible(line), "dim"), soft_wrap=True)


def show_cells(first: str, rows: list[list[str]]) -> None:
    """A sentence, and a table below it."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    console.print(Text(visible(first), "bold"), soft_wrap=True)
    console.print(grid_of(fitted(rows, console.width, upright=False)))


def fitted(rows: list[list[str]], width: int, *, upright: bool) -> list[list[str]]:
    r"""The table with its models' names in lines, so that no number is cut.

    Args:
        rows: the header first.
        width: columns of the terminal.
        upright: whether the names stand on top; else at the left, under short headings.

    Example:
        >>> fitted([["model", "forget p"], ["npo method.beta=0.2", "0.5"]], 26, upright=False)
        [['model', 'forget\np'], ['npo beta=0.2', '0.5']]
    """
    if upright:
        first = max(len(row[0]) for row in rows)
        names = apart(rows[0][1:], max((width - first) // len(rows[0][1:]) - GAP, LEAST), LINES)
        return [[rows[0][0], *map("\n".join, names)], *rows[1:]]
    heads = [name.replace(" ", "\n") for name in rows[0]]
    columns = list(zip(*[[*heads], *rows[1:]], strict=True))[1:]
    taken = sum(max(len(line) for cell in c for line in cell.split("\n")) + GAP for c in columns)
    names = apart([row[0] for row in rows[1:]], max(width - taken, LEAST), LINES)
    return [heads, *(["\n".join(n), *row[1:]] for n, row in zip(names, rows[1:], strict=True))]


def grid_of(rows: list[list[str]]) -> Table:
    """Rows as a table without lines, the first of them its header."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for k, name in enumerate(rows[0]):
        table.add_column(_lines(name), justify="left" if k == 0 else "right", no_wrap=k == 0)
    for row in rows[1:]:
        table.add_row(*map(_lines, row))
    return table


def _lines(cell: str) -> Text:
    return Text("\n".join(map(visible, cell.split("\n"))))


def show_intake(intake: Any) -> None:
    """What `check` found to be fine, on stdout."""
    from unteach.data import describe

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("role", "examples", "sequences", "answer tokens", "median", "longest", "cut off"):
        table.add_column(name, justify="left" if name == "role" else "right")
    for role, sequences in intake.sequences.items():
        found = describe(intake.groups[role], sequences)
        table.add_row(plain(role), *(f"{value:.0f}" for value in found.values()))
    console, train = Console(highlight=False), intake.request.train
    console.print(table)
    console.print(
        f"method {visible(intake.method.name)}, {intake.request.adapter.kind} training, rate "
        f"{train.learning_rate:g}, {train.epochs:g} epochs, retain term {train.retain}",
        markup=False,
    )
    console.print("fine: `unteach run` can start")


@contextmanager
def board() -> Iterator[Any]:
    """Someone who shows several jobs at once: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        with _interruptible():
            yield LineJobs()
        return
    with _interruptible(), bars() as shown:
        yield BarJobs(shown)
