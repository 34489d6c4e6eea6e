"""Lock a folder; the lock is released when its process ends, even if it is killed."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two runs with the same folder are not detected
    fcntl = None

FILE = "lock"
PATIENCE = 30  # seconds to wait for a lock that others hold for milliseconds


class Lock:
    """Lock of one folder.

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
        """Try to take the lock; return whether this process holds it now."""
        try:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return False  # the folder is gone: the process that held it has ended
        if fcntl is None:
            os.close(handle)
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:  # a file system without locks
            pass
        if not self._is_current(handle):  # the file was removed meanwhile: the lock has no effect
            os.close(handle)
            return False
        self._handle = handle
        return True

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self._file))
        except FileNotFoundError:
            return False

    def free(self) -> None:
        """Release the lock."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Let only one process at a time look for unfinished runs in a folder, or begin one.

    Two processes that look at the same time would both find nothing, and both begin. If a folder
    cannot be locked, or the other process holds the lock too long, the wait ends.
    """
    handle = -1
    with suppress(OSError):  # the folder does not exist, or this is Windows
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
        except OSError:  # a file system without locks
            return None
    return None
