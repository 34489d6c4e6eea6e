"""Show the progress of stages, with the time left: bars on a terminal, lines in a log."""

import time
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from unteach.cli._words import say, say_problems
from unteach.errors import Problem
from unteach.escaping import visible
from unteach.progress import duration
from unteach.report.table import number

SHOWN_TERMS = {
    "forget_probability": "p",
    "retain_probability": "p",
    "forget": "forget",
    "hold": "hold",
    "retain": "retain",
}
SHORT = {"asking for answers": "answering", "comparing with the original": "comparing"}
SOON, OFTEN, SELDOM = 3.0, 10.0, 60.0  # seconds before the first line, and between two lines
STEPS = 10  # after which the first estimate is given


class TimeLeft:
    """Estimate the time left from the time that the steps so far took.

    The first step, which also loads and compiles, is used only until there is a second one. If the
    job may have started in the middle, like a resumed run, there is no estimate before the second
    step.

    Args:
        clock: function that returns the time in seconds.
        whole: whether the job is known to start at its first step.

    Example:
        >>> times = iter([0.0, 9.0, 11.0])
        >>> pace = TimeLeft(lambda: next(times))
        >>> pace.seen(1, 5), pace.seen(2, 5)
        (36.0, 6.0)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, whole: bool = False):
        self.clock, self.first, self.whole = clock, None, whole
        self.began = self.now = clock()

    def next(self) -> "TimeLeft":
        """Return the estimate for the next part, which starts now and at its first step."""
        found = TimeLeft(self.clock, whole=True)
        found.began = self.now
        return found

    def seen(self, done: int, total: int) -> float | None:
        """Take up that `done` steps are done; return the seconds left, None if not known yet."""
        self.now = self.clock()
        if self.first is None or done < self.first[0]:
            self.first = (done, self.now)
        steps, before = done - self.first[0], self.first[1]
        if not steps:
            steps, before = (done, self.began) if self.whole or done == 1 else (0, 0.0)
        return (self.now - before) / steps * (total - done) if steps else None


class _Left(ProgressColumn):
    """A column with the time left; rich's own ignores steps of more than half a minute."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Return the time as h:mm:ss or m:ss; dashes if it is not known."""
        left, since = task.fields.get("left", (None, 0.0))
        if task.finished or left is None:
            return Text("0:00" if task.finished else "-:--", "cyan")
        seconds = max(round(left - (time.monotonic() - since)), 0)
        hours, rest = divmod(seconds, 3600)
        clock = (
            f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
            if hours
            else f"{rest // 60}:{rest % 60:02d}"
        )
        return Text(clock, "cyan")


def bars() -> Progress:
    """Return progress bars of 80 columns: stage, steps, time spent, time left, current numbers."""
    whole = Column(no_wrap=True)
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}", table_column=whole, markup=False),
        BarColumn(bar_width=8),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=5)),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        _Left(table_column=Column(no_wrap=True, min_width=4)),
        TextColumn(
            "{task.fields[detail]}",
            style="dim",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        console=Console(stderr=True),
        expand=True,
    )


class BarProgress:
    """Progress listener with a bar for each stage, the current one last."""

    def __init__(self, progress: Progress):
        self.bars, self.task = progress, None
        self.what, self.pace = "", TimeLeft()

    def stage(self, text: str) -> None:
        """Finish the current stage, and start a new one."""
        self.finish()
        self.what, self.pace = "", TimeLeft()
        self.task = self.bars.add_task(visible(text), total=None, detail="")

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the bar, and name the part of the stage."""
        if what != self.what:
            self.what, self.pace = what, self.pace.next()
        self._move(done, total, SHORT.get(what, what))

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """Move the bar, and show the forget probability and the loss terms."""
        self._move(step, total, terms(logs))

    def _move(self, done: int, total: int, detail: str) -> None:
        if self.task is not None:
            left = (self.pace.seen(done, total), time.monotonic())
            self.bars.update(
                self.task, completed=done, total=total, detail=visible(detail), left=left
            )
            # A part is done, but not the stage, so the clock must not stop.
            self.bars.tasks[self.task].finished_time = None

    def notes(self, notes: Iterable[Problem]) -> None:
        """Print problems above the bars."""
        say_problems(notes, self.bars.console)

    def finish(self) -> None:
        """Finish the current stage."""
        if self.task is not None:
            task = self.bars.tasks[self.task]
            full = task.total or 1
            detail = "" if self.what else task.fields["detail"]  # the last numbers of training stay
            self.bars.update(self.task, total=full, completed=full, detail=detail)


class LineProgress:
    """Progress listener that prints each stage and part once, and steps from time to time."""

    def __init__(self):
        self._begin("", TimeLeft())

    def _begin(self, what: str, pace: TimeLeft) -> None:
        self.what, self.pace, self.tenth = what, pace, 0
        self.told: float | None = None

    def stage(self, text: str) -> None:
        """Print the name of a new stage."""
        self._begin("", TimeLeft())
        say(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Print the part once, and its steps at each tenth or each minute if it takes long."""
        if what != self.what:
            self._begin(what, self.pace.next())
            say(f"  {SHORT.get(what, what)}")
        left = self.pace.seen(done, total)
        if done < total and self._due(done, total, OFTEN):
            say(f"  {SHORT.get(what, what)} {done}/{total}{_still(left)}")

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """Print a line for the first step, then at each tenth and each minute."""
        left = self.pace.seen(step, total)
        if self.told is None or self._due(step, total, 0.0):
            self.told = self.pace.now
            say(f"  step {step}/{total}  {terms(logs)}{_still(left)}")

    def _due(self, done: int, total: int, apart: float) -> bool:
        """Return whether a line is due; if so, it counts as printed."""
        tenth, now = done * 10 // max(total, 1), self.pace.now
        since = now - (self.pace.began if self.told is None else self.told)
        first = self.tenth == 0 and done >= STEPS and since >= min(SOON, apart)
        if not (first or since >= SELDOM or (tenth > self.tenth and since >= apart)):
            return False
        self.tenth, self.told = max(tenth, 1), now
        return True

    def notes(self, notes: Iterable[Problem]) -> None:
        """Print problems."""
        say_problems(notes)


def _still(left: float | None) -> str:
    return "" if left is None else f"  about {duration(left)} left"


def terms(logs: dict[str, float]) -> str:
    """Format the forget answers' mean probability and the loss terms.

    Example:
        >>> terms({"loss": 1.25, "forget": 1.0, "retain": 0.25, "forget_probability": 0.5})
        'p 0.50  forget 1.00  retain 0.25'
    """
    found = [(short, logs[name]) for name, short in SHOWN_TERMS.items() if name in logs]
    return "  ".join(f"{short} {number(float(value))}" for short, value in found)


class BarJobs:
    """Listener of several jobs with a bar for each."""

    def __init__(self, progress: Progress):
        self.bars, self.tasks = progress, {}
        self.paces: dict[str, TimeLeft] = {}

    def begin(self, name: str) -> None:
        """Add a bar."""
        self.tasks[name] = self.bars.add_task(visible(name), total=None, detail="")
        self.paces[name] = TimeLeft()

    def move(self, name: str, done: int, total: int, detail: str) -> None:
        """Move the bar of a job."""
        left = self.paces[name].seen(done, total)
        self.bars.update(
            self.tasks[name], completed=done, total=total,
            detail=visible(SHORT.get(detail, detail)), left=(left, time.monotonic()),
        )  # fmt: skip

    def end(self, name: str) -> None:
        """Fill the bar of a job."""
        total = self.bars.tasks[self.tasks[name]].total or 1
        self.bars.update(self.tasks[name], completed=total, total=total, detail="")


class LineJobs:
    """Listener of several jobs that prints a line when a job is done."""

    def __init__(self):
        self.began = time.monotonic()

    def begin(self, name: str) -> None:
        """Print nothing: the job may have to wait for others."""

    def move(self, name: str, done: int, total: int, detail: str) -> None:
        """Print nothing."""

    def end(self, name: str) -> None:
        """Print the time at which the job is done."""
        say(f"{name}: done after {time.monotonic() - self.began:.0f} s")
