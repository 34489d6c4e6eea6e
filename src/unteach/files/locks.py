"""A lock on a folder that ends with the process that holds it, however that ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two runs into one folder are told apart by nobody
    fcntl = None

FILE = "lock"
PATIENCE = 30  # seconds that one waits for its turn, which others have for milliseconds


class Lock:
    """Of one folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> one, other = Lock(folder), Lock(folder)
        >>> one.take(), other.take()
        (True, False)
        >>> one.free()
        >>> other.take()
        True
    """

    def __init__(self, folder: Path):
        self._file, self._handle = folder / FILE, -1

    def take(self) -> bool:
        """Whether nobody else holds it; then this process does."""
        try:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return False  # the folder is gone: who held it has ended
        if fcntl is None:
            os.close(handle)
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:  # a file system that has no locks
            pass
        if not self._is(handle):  # removed between the two: what is locked has no name
            os.close(handle)
            return False
        self._handle = handle
        return True

    def _is(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self._file))
        except FileNotFoundError:
            return False

    def free(self) -> None:
        """Let others have it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """One process after the other: who looks for what others have begun and who begins something.

    Of two that look at the same time each would find nothing, and begin. Where a folder cannot be
    locked, or whoever has its turn does not end, nobody waits longer.
    """
    handle = -1
    with suppress(OSError):  # it is not there, or this is Windows
        handle = os.open(folder, os.O_RDONLY)
    try:
        if handle >= 0:
            _wait(handle)
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _wait(handle: int) -> None:
    end = time.monotonic() + PATIENCE
    while fcntl is not None and time.monotonic() < end:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:  # a file system that has no locks
            return None
    return None
