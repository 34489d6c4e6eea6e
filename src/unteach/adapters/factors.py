"""Decompose a weight matrix into low-rank factors with weighted rows, for FILA."""

import torch
from torch import Tensor

EPSILON = 1e-5  # the authors use it twice (csm9493/efficient-llm-unlearning, forget.py)
EXACT_UP_TO = 512  # a full SVD is cheap up to this size


def row_weights(of_forget: Tensor, of_retain: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Return each output row's importance for the forget set relative to the retain set, [out].

    It is the square root of the row's sum of F_forget / (F_retain + epsilon), both [out, in].

    Example:
        >>> row_weights(torch.tensor([[1.0, 3.0]]) * 1e-5, torch.zeros(1, 2)).tolist()
        [2.0]
    """
    return (of_forget / (of_retain + epsilon)).sum(1).sqrt()


def weighted_factors(
    weight: Tensor, weights: Tensor, *, rank: int, scaling: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Return A [r, in] and B [out, r] that minimise ||diag(w) (W - scaling B A)||.

    Uses the SVD of diag(w) W, exact for small weights and randomised (seeded) for large ones.
    B = diag(1 / (w + 1e-5)) U sqrt(S / scaling), computed as diag(w / (w + 1e-5)) W V / sqrt(S
    scaling): mathematically the same, but in rows with w near 0 dividing U would amplify its
    rounding error. Directions with a zero singular value are 0 in both factors.

    Args:
        weight: W, [out, in].
        weights: w, [out], at least 0.
        rank: r, at most the smaller side of W.
        scaling: the adapter's alpha / r.
        seed: of the randomised decomposition.

    Example:
        >>> a, b = weighted_factors(torch.tensor([[8.0], [2.0]]), torch.ones(2), rank=1, scaling=2)
        >>> (2 * b @ a).round(decimals=3).tolist()
        [[8.0], [2.0]]
    """
    s, v = _right_svd(weights[:, None] * weight, rank, seed)
    least = s[:1] * max(weight.shape) * torch.finfo(s.dtype).eps
    live = s > least
    root = torch.where(live, s / scaling, 0).sqrt()
    inverse = torch.where(live, 1 / (s * scaling).sqrt(), 0)
    damping = weights / (weights + EPSILON)
    return (v * root).T.contiguous(), damping[:, None] * (weight @ v) * inverse


def _right_svd(matrix: Tensor, rank: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the largest singular values and their right vectors, [r] and [in, r]."""
    if min(matrix.shape) <= EXACT_UP_TO:
        _, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        return s[:rank], vh[:rank].T
    with torch.random.fork_rng(devices=[matrix.device] if matrix.is_cuda else []):
        torch.manual_seed(seed)
        _, s, v = torch.svd_lowrank(matrix, q=min(rank + 8, *matrix.shape), niter=4)
    return s[:rank], v[:, :rank]
