"""Count the bytes of tensors that are alive at the same time, and their peak."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Live(TorchDispatchMode):
    """Context manager that counts the storages of torch's results until they are freed.

    It counts tensors, not the memory that an allocator reserves, so the result is the same on any
    machine. Temporary memory within a kernel is not counted. A fake tensor (`FakeTensorMode`,
    entered before) counts like a real one.

    Args:
        known: existing tensors to include.
        told: called with `now` whenever it grows.

    Attributes:
        now: bytes alive now.
        peak: maximum so far; may be reset to `now`.

    Example:
        >>> import torch
        >>> with Live() as live:
        ...     kept = torch.ones(1000) + torch.ones(1000)
        >>> live.now, live.peak
        (4000, 12000)
    """

    def __init__(self, known: Iterable[Tensor] = (), told: Callable[[int], Any] = lambda now: None):
        super().__init__()
        self.now = self.peak = 0
        self._told = told
        self._known: set[int] = set()
        for tensor in known:
            self._add(tensor)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, Tensor):
                self._add(leaf)
        return found

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, key, size).atexit = False
        self._told(self.now)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
