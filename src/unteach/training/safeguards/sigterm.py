"""SIGTERM: the machine will be taken away. A run ends after the step under way, and keeps it."""

import signal
import threading
import time
from types import TracebackType
from typing import Any, NoReturn

CODE = 128 + signal.SIGTERM  # as a shell reports it
ECHO = 5.0  # seconds


class SigtermNotice:
    """From `listen` until it is left, SIGTERM asks for an end.

    Another one within five seconds is the same: what reaches a whole group or job, as `timeout` and
    SLURM send it, a launcher passes on to its processes once more. A later one ends the process at
    once. Where a program sees to SIGTERM itself, or does this in a thread, nothing is changed.

    Example:
        >>> with Notice() as notice:
        ...     notice.listen()
        ...     signal.raise_signal(signal.SIGTERM)
        Traceback (most recent call last):
        SystemExit: 143
    """

    def __init__(self):
        self._since: float | None = None
        self._ours = False

    @property
    def asked(self) -> bool:
        """Whether the end was asked for."""
        return self._since is not None

    def listen(self) -> None:
        """From now on."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._ask)
            self._ours = True

    def __enter__(self) -> "SigtermNotice":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Raises SystemExit where an end was asked for when there was no step to end after."""
        if self._ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self.asked and kind is None:
            self.leave()

    def _ask(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._since > ECHO:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    def leave(self) -> NoReturn:
        """With the exit code of a process that SIGTERM ended. Raises SystemExit."""
        raise SystemExit(CODE)
