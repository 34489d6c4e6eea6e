"""A lock on a folder that ends with the process that holds it, however that ends."""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two runs into one folder are told apart by nobody
    fcntl = None

FILE = "lock"


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
        if fcntl is None:
            return True
        try:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return False  # the folder is gone: who held it has ended
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:  # a file system that has no locks
            pass
        self._handle = handle
        return True

    def free(self) -> None:
        """Let others have it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
