"""Measure the peak memory of this process, for machines without an accelerator."""

import threading
from types import TracebackType

EVERY = 0.05  # seconds between two looks


class PeakMemory:
    """Context that watches the resident memory of this process.

    Attributes:
        peak: most bytes seen; None where psutil is not installed.

    Example:
        >>> with PeakMemory() as memory:
        ...     pass
        >>> memory.peak is None or memory.peak > 1_000_000
        True
    """

    def __init__(self):
        self.peak: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(EVERY):
            self._look()

    def _look(self) -> None:
        try:
            import psutil  # accelerate brings it
        except ImportError:
            return
        self.peak = max(self.peak or 0, psutil.Process().memory_info().rss)
