"""SIGTERM: the machine will be taken away. A run ends after the step under way, and keeps it."""

import signal
import threading
from typing import Any, NoReturn

CODE = 128 + signal.SIGTERM  # as a shell reports it


class Notice:
    """While it is entered, SIGTERM asks for an end; a second one ends the process at once.

    Where a program sees to SIGTERM itself, or does this in a thread, nothing is changed.

    Args:
        wanted: whether to do anything.

    Attributes:
        asked: whether the end was asked for.

    Example:
        >>> with Notice() as notice:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     notice.asked
        True
    """

    def __init__(self, *, wanted: bool = True):
        self.asked, self._wanted, self._ours = False, wanted, False

    def __enter__(self) -> "Notice":
        main = threading.current_thread() is threading.main_thread()
        self._ours = main and self._wanted and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if self._ours:
            signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        if self._ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def leave(self) -> NoReturn:
        """The exit code of a process that SIGTERM ended. Raises SystemExit."""
        raise SystemExit(CODE)
