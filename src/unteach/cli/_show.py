"""How the command line speaks: progress and problems to stderr, results to stdout."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from unteach.nouns import Problem
from unteach.talk import Talk

WIDE = 110
FEW = 4  # models whose table stands upright
SHOWN_TERMS = {"forget": "forget", "hold": "hold", "retain": "retain", "forget_probability": "p"}


def say(text: str) -> None:
    """One line to stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def say_problems(problems: Iterable[Problem], console: Console | None = None) -> None:
    """All problems, each with its hint, to stderr."""
    console = console or Console(stderr=True, soft_wrap=True, highlight=False)
    for problem in problems:
        mark = "[yellow]note[/]" if problem.kind == "note" else "[red]error[/]"
        console.print(f"{mark} {escape(problem.where)}: {escape(problem.what)}")
        if problem.hint:
            console.print(f"      [dim]hint: {escape(problem.hint)}[/]")


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
        say("\nstopped")
        raise


@contextmanager
def talking() -> Iterator[Talk]:
    """Someone who shows progress: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        with _interruptible():
            yield PlainTalk()
        return
    with _interruptible(), _bars() as bars:
        talk = BarTalk(bars)
        yield talk
        talk.finish()


def _bars() -> Progress:
    whole = Column(no_wrap=True)
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}", table_column=whole),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=5)),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn(
            "[dim]{task.fields[detail]}[/]",
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        console=Console(stderr=True),
        expand=True,
    )


class BarTalk:
    """A line with a bar for each stage; what is under way stands last."""

    def __init__(self, progress: Progress):
        self.bars, self.task = progress, None

    def stage(self, text: str) -> None:
        """Finish the stage before, begin a new one."""
        self.finish()
        self.task = self.bars.add_task(escape(text), total=None, detail="")

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the bar."""
        if self.task is not None:
            detail = what if done < total else ""
            self.bars.update(self.task, completed=done, total=total, detail=detail)

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """Move the bar, and show the loss terms."""
        if self.task is not None:
            self.bars.update(self.task, completed=step, total=total, detail=terms(logs))

    def notes(self, notes: Iterable[Problem]) -> None:
        """Above the bars."""
        say_problems(notes, self.bars.console)

    def finish(self) -> None:
        """The stage is over."""
        if self.task is not None:
            task = self.bars.tasks[self.task]
            self.bars.update(self.task, total=task.total or 1, completed=task.total or 1)


class PlainTalk:
    """Lines for logs: each stage once, training about ten times."""

    def __init__(self):
        self.shown, self.began = -1, time.monotonic()

    def stage(self, text: str) -> None:
        """A line."""
        self.shown, self.began = -1, time.monotonic()
        say(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Nothing: a log needs no bar."""

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """A line at every tenth of the way."""
        tenth = step * 10 // max(total, 1)
        if tenth > self.shown:
            self.shown = tenth
            left = (time.monotonic() - self.began) / max(step, 1) * (total - step)
            say(f"  step {step}/{total}  {terms(logs)}  about {left:.0f} s left")

    def notes(self, notes: Iterable[Problem]) -> None:
        """Lines."""
        say_problems(notes)


def terms(logs: dict[str, float]) -> str:
    """The loss terms in a few words, and how likely the forget answers still are.

    Example:
        >>> terms({"loss": 1.25, "forget": 1.0, "retain": 0.25, "forget_probability": 0.5})
        'forget 1.00  retain 0.25  p 0.50'
    """
    found = [(short, logs[name]) for name, short in SHOWN_TERMS.items() if name in logs]
    return "  ".join(f"{short} {float(value):.2f}" for short, value in found)


def show_table(report: Any) -> None:
    """What is wrong, then the scores that a layman understands: a line each, or one per model."""
    from unteach.report import table as rows_of
    from unteach.report import what_is_wrong
    from unteach.report.table import legend

    rows = rows_of(report, short=len(report.models) > FEW)
    if len(report.models) <= FEW:  # their names on top leave room for the questions in words
        rows = [list(column) for column in zip(*rows, strict=True)]
        rows[0][0] = ""
    console = Console()
    if not console.is_terminal:  # a file has no edge
        console.width = max(console.width, WIDE)
    for line in what_is_wrong(report):
        console.print(line, style="yellow", highlight=False, soft_wrap=True)
    tables = [rows] if len(rows) > 1 and len(rows[0]) > 1 else []
    for cells in (*tables, *report.tables.values()):
        console.print(_table(cells))
    for line in dict.fromkeys(
        line for cells in (rows, *report.tables.values()) for line in legend(cells)
    ):
        console.print(line, style="dim", highlight=False, soft_wrap=True)


def _table(rows: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for k, name in enumerate(rows[0]):
        table.add_column(escape(name), justify="left" if k == 0 else "right", no_wrap=k == 0)
    for row in rows[1:]:
        table.add_row(*map(escape, row))
    return table


def show_intake(intake: Any) -> None:
    """What `check` found to be fine, on stdout."""
    from unteach.data import describe

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("role", "examples", "sequences", "answer tokens", "median", "longest", "cut off"):
        table.add_column(name, justify="left" if name == "role" else "right")
    for role, sequences in intake.sequences.items():
        found = describe(intake.groups[role], sequences)
        table.add_row(role, *(f"{value:.0f}" for value in found.values()))
    console, train = Console(highlight=False), intake.request.train
    console.print(table)
    console.print(
        f"method {intake.method.name}, {intake.request.adapter.kind} training, rate "
        f"{train.learning_rate:g}, {train.epochs:g} epochs, retain term {train.retain}"
    )
    console.print("fine: `unteach run` can start")


@contextmanager
def board() -> Iterator[Any]:
    """Someone who shows several jobs at once: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        with _interruptible():
            yield PlainBoard()
        return
    with _interruptible(), _bars() as bars:
        yield BarBoard(bars)


class BarBoard:
    """A bar for each job."""

    def __init__(self, bars: Progress):
        self.bars, self.tasks = bars, {}

    def begin(self, name: str) -> None:
        """A new bar."""
        self.tasks[name] = self.bars.add_task(escape(name), total=None, detail="")

    def move(self, name: str, done: int, total: int, detail: str) -> None:
        """Move it."""
        self.bars.update(self.tasks[name], completed=done, total=total, detail=detail)

    def end(self, name: str) -> None:
        """Fill it."""
        total = self.bars.tasks[self.tasks[name]].total or 1
        self.bars.update(self.tasks[name], completed=total, total=total, detail="")


class PlainBoard:
    """A line when a job is done."""

    def __init__(self):
        self.began = time.monotonic()

    def begin(self, name: str) -> None:
        """Nothing: it may have to wait."""

    def move(self, name: str, done: int, total: int, detail: str) -> None:
        """Nothing: a log needs no bar."""

    def end(self, name: str) -> None:
        """A line."""
        say(f"{name}: done at {time.monotonic() - self.began:.0f} s")
