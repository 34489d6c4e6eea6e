"""Multiply with the head's matrix, with results in float32 or better in any matrix dtype."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Rows of the head that a CPU multiplies at once: few enough to stay in its cache, which makes
# products with few states a tenth faster. Half-precision rows are cast to float32 piece by piece.
# On CPU and CUDA products are summed and kept in float32: logits rounded to bfloat16 put a small
# KL's gradient off by 8%.
PIECE = 2048


def _pieces(weight: Tensor) -> Iterator[slice]:
    for start in range(0, len(weight), PIECE):
        yield slice(start, start + PIECE)


def exact(matrix: Tensor) -> bool:
    """Whether the matrix is in float32 or float64, so that products need no wider dtype."""
    return matrix.dtype in (torch.float32, torch.float64)


def product(states: Tensor, matrix: Tensor) -> Tensor:
    """Return [n, V], states [n, D] times the transpose of matrix [V, D]; no graph."""
    states = states.detach().to(matrix.dtype)
    with torch.autocast(states.device.type, enabled=False):  # it would round the result
        if states.device.type != "cpu":
            return states @ matrix.T if exact(matrix) else _wide(states, matrix.T)
        states = states if exact(states) else states.float()
        result = states.new_empty(len(states), len(matrix))
        for piece in _pieces(matrix):
            torch.mm(states, matrix[piece].to(states.dtype).T, out=result[:, piece])
        return result


def back(gradient: Tensor, matrix: Tensor) -> Tensor:
    """Return [n, D], gradient [n, V] times matrix [V, D]."""
    if exact(matrix):
        return gradient.to(matrix.dtype) @ matrix
    if gradient.is_cuda:
        rounded, size = halved(gradient, matrix.dtype)
        result = _wide(rounded, matrix)
        return result if size is None else result.mul_(size)
    result = gradient.new_zeros(len(gradient), matrix.shape[1])
    for piece in _pieces(matrix):
        result.addmm_(gradient[:, piece], matrix[piece].float())
    return result


def add_outer(gradient: Tensor, states: Tensor, into: Tensor) -> None:
    """Add the transpose of gradient [n, V] times states [n, D] to `into`, [V, D]."""
    if exact(states) and into.dtype == states.dtype:
        into.addmm_(gradient.to(states.dtype).T, states)
    elif states.is_cuda:
        rounded, size = halved(gradient, states.dtype)
        result = _wide(rounded.T, states)
        into.add_(result if size is None else result.mul_(size))
    else:
        for piece in _pieces(into):
            into[piece].add_(gradient[:, piece].T @ states.float())


def halved(gradient: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """Return the gradient in half precision and the divisor that was applied, None for none.

    Float16 has no values below 6e-8, and gradients of logits are mostly smaller; the loss scaler
    acts only later.

    Example:
        >>> rounded, size = halved(torch.tensor([[1e-9, -2e-9]]), torch.float16)
        >>> rounded.tolist()
        [[0.5, -1.0]]
    """
    if dtype != torch.float16:
        return gradient.to(dtype), None
    largest = torch.linalg.vector_norm(gradient, float("inf"))
    size = largest.clamp(min=torch.finfo(gradient.dtype).tiny)
    return (gradient / size).to(dtype), size


def _wide(a: Tensor, b: Tensor) -> Tensor:
    """Multiply half-precision matrices on CUDA, with the result in float32."""
    if WIDE:
        return torch.mm(a, b, out_dtype=torch.float32)  # type: ignore[call-overload]
    return (a @ b).float()


WIDE = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 8)
