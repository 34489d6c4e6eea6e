"""Print results to stdout, and progress and problems to stderr."""

import sys
from collections.abc import Iterable, Iterator
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
    "board", "grid_of", "hush", "say", "say_problems", "show_cells", "show_grid", "show_intake",
    "show_lines", "show_table", "shown_progress", "working",
]  # fmt: skip

WIDE = 110
FEW = 4  # largest number of models that become columns of the table
GAP, LEAST, LINES = 2, 12, 6  # blanks between columns; least width and most lines of a name


def hush() -> None:
    """Turn off progress bars of libraries, and FutureWarnings about their own code."""
    import warnings

    from transformers.utils import logging

    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Print "stopped" at Ctrl-C (typer then exits with code 130) or SIGTERM."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        say("")
        say("stopped")
        raise


@contextmanager
def shown_progress() -> Iterator[ProgressListener]:
    """Yield a progress listener: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        with _interruptible():
            yield LineProgress()
        return
    with _interruptible(), bars() as shown:
        listener = BarProgress(shown)
        yield listener
        listener.finish()


@contextmanager
def working() -> Iterator[ProgressListener]:
    """Say that libraries are being loaded, silence them, and yield a progress listener."""
    say("starting (loading libraries takes a few seconds)")
    hush()
    with shown_progress() as listener:
        yield listener


def show_lines(lines: Iterable[str], style: str = "") -> None:
    """Print lines to stdout, each with its control characters escaped."""
    for line in lines:
        _console().print(Text(visible(line), style), soft_wrap=True)


def show_grid(rows: list[list[str]]) -> None:
    """Print a table to stdout; the first row is the header."""
    _console().print(grid_of(rows))


def show_cells(first: str, rows: list[list[str]]) -> None:
    """Print a sentence and a table below it, in which the names of models are broken to fit."""
    show_lines([first], "bold")
    show_grid(fitted(rows, _console().width, upright=False))


def show_table(report: Any) -> None:
    """Print what is wrong with the models, the main scores, further tables and the gates."""
    from unteach.report import gate_rows, what_is_wrong
    from unteach.report import table as rows_of
    from unteach.report.earlier import earlier_notes, earlier_rows, earlier_sentence
    from unteach.report.table import legend

    many = len(report.models) > FEW
    rows = rows_of(report, short=many)
    if not many:  # models become columns, so that the names of scores have room
        rows = [list(column) for column in zip(*rows, strict=True)]
        rows[0][0] = ""
    show_lines(what_is_wrong(report), "yellow")
    if len(rows) > 1 and len(rows[0]) > 1:
        show_grid(fitted(rows, _console().width, upright=not many))
    for cells in report.tables.values():
        show_grid(cells)
    if report.earlier:
        show_lines([earlier_sentence(report.earlier)], "bold")
        show_grid(earlier_rows(report.earlier))
        show_lines(earlier_notes(report.earlier), "dim")
    if report.gates:
        show_grid(gate_rows(report.gates))
    every = (rows, *report.tables.values())
    show_lines(dict.fromkeys(line for cells in every for line in legend(cells)), "dim")


def _console() -> Console:
    console = Console()
    if not console.is_terminal:  # a file has no width
        console.width = max(console.width, WIDE)
    return console


def fitted(rows: list[list[str]], width: int, *, upright: bool) -> list[list[str]]:
    r"""Break the names of models in a table into lines, so that no number is cut.

    Args:
        rows: the table, header first.
        width: width of the terminal in columns.
        upright: whether models are columns; otherwise they are rows, under short headings.

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
    """Return a rich table without borders; the first row is the header."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for k, name in enumerate(rows[0]):
        table.add_column(_lines(name), justify="left" if k == 0 else "right", no_wrap=k == 0)
    for row in rows[1:]:
        table.add_row(*map(_lines, row))
    return table


def _lines(cell: str) -> Text:
    return Text("\n".join(map(visible, cell.split("\n"))))


def show_intake(intake: Any) -> None:
    """Print what `check` found: the data of each role, and the main settings."""
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
    console.print("no problems: `unteach run` can start")


def intake_values(intake: Any) -> dict[str, Any]:
    """Return what `check` found as plain values: the data of each role, settings, and notes."""
    from unteach.data import describe

    found = {role: describe(intake.groups[role], s) for role, s in intake.sequences.items()}
    return {
        "data": found,
        "request": intake.request.model_dump(mode="json"),
        "notes": [{"where": n.where, "what": n.what, "hint": n.hint} for n in intake.notes],
    }


@contextmanager
def board() -> Iterator[Any]:
    """Yield a listener of several jobs: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        with _interruptible():
            yield LineJobs()
        return
    with _interruptible(), bars() as shown:
        yield BarJobs(shown)
