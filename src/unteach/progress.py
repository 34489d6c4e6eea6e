"""Report the progress of a run to a listener; without a listener nothing is shown."""

from collections.abc import Callable, Sequence
from typing import Protocol

from unteach.errors import Problem

ProgressCallback = Callable[[int, int], None]
"""Called with the number of items done and their total number."""


class ProgressListener(Protocol):
    """Interface of an object that receives the progress of a run."""

    def stage(self, text: str) -> None:
        """Called when a new stage begins, with a short description."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Called with the number of items of the current stage that are done."""

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """Called after an optimiser step, with its loss terms by name."""

    def notes(self, notes: Sequence[Problem]) -> None:
        """Called with notes: what the user should know although it is no error."""


class NoProgress:
    """A listener that ignores everything."""

    def stage(self, text: str) -> None:
        """Do nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Do nothing."""

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """Do nothing."""

    def notes(self, notes: Sequence[Problem]) -> None:
        """Do nothing."""


def duration(seconds: float) -> str:
    """Format a number of seconds with a unit that is easy to read.

    Example:
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
