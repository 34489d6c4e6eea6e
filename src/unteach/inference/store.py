"""Store hidden states by example, in memory or in an unnamed temporary file."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from unteach.files import in_words

IN_MEMORY = 1 << 30  # bytes; what is larger goes to a file


class HiddenStateStore:
    """Hidden states [n_i, D] of each example i.

    A large store is a memory-mapped file in the temporary folder. Its name is removed as soon as
    it is open, so the system frees it when the process ends or crashes. Where a system cannot
    remove the name of an open file, the next start does it (`sweep`).

    Args:
        sizes: number of rows of each example, by index.
        width: D, the hidden size.
        dtype: of the rows.
        in_memory: size in bytes up to which no file is made.

    Example:
        >>> store = HiddenStateStore({3: 2, 5: 1}, 4, torch.float32)
        >>> store.put(5, torch.ones(1, 4))
        >>> store.rows([5, 3]).sum(-1).tolist()
        [4.0, 0.0, 0.0]
    """

    def __init__(
        self, sizes: dict[int, int], width: int, dtype: torch.dtype, *, in_memory: int = IN_MEMORY
    ):
        self._places: dict[int, slice] = {}
        end = 0
        for number, rows in sizes.items():
            self._places[number] = slice(end, end + rows)
            end += rows
        self.bytes = end * width * dtype.itemsize
        if self.bytes <= in_memory:
            self._rows = torch.zeros(end, width, dtype=dtype)
        else:
            self._rows = _mapped(end * width, dtype).view(end, width)

    def put(self, number: int, rows: Tensor) -> None:
        """Store the rows of an example."""
        self._rows[self._places[number]] = rows.to(self._rows)

    def rows(self, numbers: Iterable[int]) -> Tensor:
        """Rows [N, D] of these examples, concatenated. Raises KeyError for an unknown index."""
        return torch.cat([self._rows[self._places[number]] for number in numbers])


PREFIX = "unteach-rows-"


def _mapped(size: int, dtype: torch.dtype) -> Tensor:
    folder = Path(tempfile.gettempdir())
    with in_words(folder):
        handle, name = tempfile.mkstemp(prefix=f"{PREFIX}{os.getpid()}-")
    try:
        try:
            with in_words(folder):
                _take_room(handle, size * dtype.itemsize)
        finally:
            os.close(handle)
        return torch.from_file(name, shared=True, size=size, dtype=dtype)
    finally:
        _remove(name)


def _take_room(handle: int, size: int) -> None:
    """Allocate all space now: on a full disk a later write to the map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)


def sweep() -> None:
    """Remove files of ended processes, on systems where an open file keeps its name."""
    try:
        folder = tempfile.gettempdir()
        there = os.listdir(folder)
    except OSError:  # no temporary folder, so nothing to remove
        return
    for name in there:
        if name.startswith(PREFIX) and not _alive(name.removeprefix(PREFIX).split("-")[0]):
            _remove(os.path.join(folder, name))


def _remove(name: str) -> None:
    try:
        os.unlink(name)
    except OSError:
        return  # Windows: the file is open; `sweep` removes it later


def _alive(process: str) -> bool:
    if not process.isdigit() or os.name == "nt":
        return process == str(os.getpid())
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
