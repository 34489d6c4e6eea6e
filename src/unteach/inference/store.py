"""Rows of hidden states, kept by example: in memory, or in a file that nobody else can see."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from unteach.files import in_words

IN_MEMORY = 1 << 30  # bytes; what is larger goes to a file


class HiddenStateStore:
    """Rows [n_i, D] for each example i.

    A large store is a file of the temporary folder, mapped into memory. Its name is removed as soon
    as it is open, so the system frees it when the process ends, however it ends; where a system
    cannot remove the name of an open file, the next start does (`sweep`).

    Args:
        sizes: rows of each example, by its number.
        width: D.
        dtype: of the rows.
        in_memory: bytes up to which no file is made.

    Example:
        >>> store = Store({3: 2, 5: 1}, 4, torch.float32)
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
        """Keep the rows of an example."""
        self._rows[self._places[number]] = rows.to(self._rows)

    def rows(self, numbers: Iterable[int]) -> Tensor:
        """[N, D], of these examples, one after the other. Raises KeyError for one not kept."""
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
    """All of it now: written to later, a full disk would end the process without a word."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)


def sweep() -> None:
    """Remove what earlier processes left behind, where an open file keeps its name."""
    try:
        folder = tempfile.gettempdir()
        there = os.listdir(folder)
    except OSError:  # there is none, and nothing in it
        return
    for name in there:
        if name.startswith(PREFIX) and not _alive(name.removeprefix(PREFIX).split("-")[0]):
            _remove(os.path.join(folder, name))


def _remove(name: str) -> None:
    try:
        os.unlink(name)
    except OSError:
        return  # Windows: it is open; `sweep` comes later


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
