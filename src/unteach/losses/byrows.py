"""Compute values per row of logits, with gradients that need no second copy of the logits.

Autograd stores every intermediate matrix of a formula. Here a formula gives its values and its
gradient in closed form. Both are computed block by block, and the gradient may overwrite the
logits.
"""

import logging
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import get_gradient_edge

logger = logging.getLogger(__name__)

BLOCK = 1 << 19  # entries: 2 MB of float32 fit in a core's cache


class RowFunction(NamedTuple):
    """One or more values per row, and their gradient.

    Attributes:
        outputs: number of values per row.
        read: (logits, *columns) -> tuple of [n]: the outputs, then values to keep for `pull`.
        pull: (logits, *columns, *kept, *gradients of the outputs) -> the gradient, or None if it
            has overwritten the logits.
    """

    outputs: int
    read: Callable[..., tuple[Tensor, ...]]
    pull: Callable[..., Tensor | None]


def by_rows(formula: RowFunction, logits: Tensor, *columns: Tensor) -> tuple[Tensor, ...]:
    """Return the formula's outputs, [N] each, differentiable once with respect to the logits.

    Args:
        formula: what to compute.
        logits: [N, V], float32 or float64.
        columns: further inputs per row, [N] or [N, V]; no gradient.
    """
    return _ByRows.apply(logits, formula, *columns)  # type: ignore[return-value]


def read_rows(
    read: Callable[..., tuple[Tensor, ...]], logits: Tensor, *columns: Tensor
) -> list[Tensor]:
    """Compute a formula's outputs and kept values, [N] each, block by block; no gradient."""
    read = _fast(read, logits.device.type)
    parts = [read(logits[b], *(c[b] for c in columns)) for b in _blocks(logits)]
    return [torch.cat(part) for part in zip(*parts, strict=True)]


def pull_rows(formula: RowFunction, logits: Tensor, out: Tensor, *columns: Tensor) -> Tensor:
    """Write the gradient of the logits to `out` and return it.

    Args:
        formula: the same as for `read_rows`.
        logits: [N, V].
        out: [N, V]; may be the logits themselves.
        columns: those of `read_rows`, then its kept values, then the gradients of the outputs.
    """
    pull = _fast(formula.pull, logits.device.type)
    for b in _blocks(logits):
        part = out[b] if out is logits else out[b].copy_(logits[b])
        gradient = pull(part, *(column[b] for column in columns))
        if gradient is not None:
            part.copy_(gradient)
    return out


def spoiling_gradients(loss: Tensor, logits: list[Tensor], others: list[Tensor]) -> list:
    """Return gradients of a scalar; those of logits overwrite the logits where this is safe.

    It is safe if only formulas of this module read the logits: computing their gradient is the last
    use. Otherwise the logits are left as they are.

    Args:
        loss: a scalar.
        logits: leaves of the graph; their contents are undefined afterwards.
        others: further leaves.

    Returns:
        One gradient per leaf, None if the loss does not depend on it.

    Example:
        >>> z = torch.zeros(1, 2, requires_grad=True)
        >>> spoiling_gradients((3 * z).sum(), [z], [])[0].tolist()
        [[3.0, 3.0]]
    """
    for leaf in logits:
        readers = _readers(loss, leaf)
        if all(getattr(node, "_forward_cls", None) is _ByRows for node in readers):
            turns = _Turns(len(readers))
            for node in readers:
                node.turns = turns
    return list(torch.autograd.grad(loss, [*logits, *others], allow_unused=True))


def _readers(loss: Tensor, leaf: Tensor) -> list[Any]:
    """Return the nodes of the graph that read the leaf."""
    end = get_gradient_edge(leaf).node
    waiting, seen, readers = [loss.grad_fn], {loss.grad_fn}, []
    while waiting:
        node = waiting.pop()
        for following, _ in getattr(node, "next_functions", ()):
            if following is end:
                readers.append(node)
            elif following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return readers


class _Turns:
    """Counts the backward passes that still need the same logits."""

    def __init__(self, readers: int):
        self.left = readers

    def last(self) -> bool:
        self.left -= 1
        return self.left == 0


class _ByRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, formula: RowFunction, *columns: Tensor):
        values = read_rows(formula.read, logits, *columns)
        ctx.formula, ctx.columns = formula, len(columns)
        ctx.turns = None
        ctx.save_for_backward(logits, *columns, *values[formula.outputs :])
        return tuple(values[: formula.outputs])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor):  # type: ignore[override]
        logits, *others = ctx.saved_tensors
        free = ctx.turns is not None and ctx.turns.last()
        logits = logits.detach()  # autograd still detects the write for others that saved them
        out = logits if free else torch.empty_like(logits)
        pull_rows(ctx.formula, logits, out, *others, *grads)
        return out, None, *(None for _ in range(ctx.columns))


def _blocks(logits: Tensor) -> Iterator[slice]:
    """Yield slices of rows to compute together; at least one, which may be empty."""
    rows = len(logits)
    size = rows
    if logits.device.type == "cpu":
        size = BLOCK // max(logits.shape[1], 1)
    size = max(size, 1)
    for start in range(0, max(rows, 1), size):
        yield slice(start, min(start + size, rows))


@cache
def _fast(function: Callable, device: str) -> Callable:
    """Compile the function on CUDA if torch can; return it unchanged elsewhere."""
    if device != "cuda" or find_spec("triton") is None:
        return function
    compiled = torch.compile(function, dynamic=True)

    def run(*args: Tensor):
        nonlocal compiled
        try:
            return compiled(*args)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # errors of dynamo and inductor are subclasses
            logger.warning("torch.compile failed, going on without: %s", type(error).__name__)
            compiled = function
            return function(*args)

    return run
