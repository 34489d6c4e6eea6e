"""Handle SIGTERM: end the run after the current step, with a checkpoint of it."""

import signal
import threading
import time
from types import TracebackType
from typing import Any, NoReturn

CODE = 128 + signal.SIGTERM  # the exit code that shells report
ECHO = 5.0  # seconds


class SigtermNotice:
    """Context manager that records SIGTERM, from `listen` until its exit, instead of ending.

    A second SIGTERM within five seconds counts as the same: `timeout` and SLURM signal the process
    group or job, and a launcher passes the signal on to its processes again. A later one ends the
    process at once. If the program has its own handler of SIGTERM, or this runs in a thread,
    nothing changes.

    Example:
        >>> with SigtermNotice() as notice:
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
        """Whether SIGTERM has arrived."""
        return self._since is not None

    def listen(self) -> None:
        """Install the handler of SIGTERM."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._ask)
            self._ours = True

    def __enter__(self) -> "SigtermNotice":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Restore the handler. Raises SystemExit if SIGTERM arrived and no step followed it."""
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
        """Raise SystemExit with the exit code of a process that SIGTERM ended."""
        raise SystemExit(CODE)
