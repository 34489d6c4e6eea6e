"""What the stages tell while they work; the command line shows it, a library user hears nothing."""

from collections.abc import Callable, Sequence
from typing import Protocol

from unteach.errors import Problem

ProgressCallback = Callable[[int, int], None]
"""Called with how many items are done, and how many there are."""


class ProgressListener(Protocol):
    """Someone who listens."""

    def stage(self, text: str) -> None:
        """A new thing begins, said in a few words."""

    def progress(self, what: str, done: int, total: int) -> None:
        """How far the thing is."""

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """An optimiser step was made; its loss terms by name."""

    def notes(self, notes: Sequence[Problem]) -> None:
        """What the user should know, though nothing is wrong."""


class NoProgress:
    """Nobody listens."""

    def stage(self, text: str) -> None:
        """Nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """Nothing."""

    def notes(self, notes: Sequence[Problem]) -> None:
        """Nothing."""


def duration(seconds: float) -> str:
    """A number of seconds as people say it.

    Example:
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
