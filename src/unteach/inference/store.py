"""Store hidden states by example, in memory or in an unnamed temporary file."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unteach.files import in_words

IN_MEMORY = 1 << 30  # bytes; what is larger goes to a file


class HiddenStateStore:
    """Hidden states [n_i, D] of each example i.

    A large store is a memory-mapped file in the temporary folder. It has no name, so the system
    frees it when the process ends or crashes.

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


def _mapped(size: int, dtype: torch.dtype) -> Tensor:
    """Map a temporary file without a name."""
    needed = size * dtype.itemsize
    with in_words(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):
            # All space now: on a full disk a later write to the map would kill the process.
            os.posix_fallocate(file.fileno(), 0, needed)
        return torch.from_numpy(np.memmap(file, np.uint8, "r+", shape=needed)).view(dtype)
