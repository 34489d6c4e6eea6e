"""Compute losses on the K likeliest tokens of a row; tokens tied with the K-th share its weight."""

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unteach.losses.byrows import RowFunction, by_rows
from unteach.losses.statistics import full


def top_margin(
    logits: Float[Tensor, "N V"], target: Int[Tensor, " N"], *, top_k: int
) -> Float[Tensor, " N"]:
    """Log-odds of the target among itself and the K likeliest other tokens (MASC).

    That is z_y - logsumexp of the K largest z_v, v != y; all other tokens are ignored. Its sigmoid
    is the probability of the target among these K + 1 tokens.

    Args:
        logits: the rows that predict an answer token, any float dtype.
        target: the answer tokens.
        top_k: number of other tokens; all of them if there are fewer.

    Example:
        >>> import torch
        >>> row = torch.tensor([[1.0, 1.0, 1.0, -9.0]])
        >>> round(top_margin(row, torch.tensor([0]), top_k=2).item(), 4)  # one of three: -log 2
        -0.6931
    """
    return by_rows(_margin(top_k), full(logits), target)[0]


def buffered_hinge(
    margin: Float[Tensor, " N"], *, threshold: float, buffer: float
) -> Float[Tensor, " N"]:
    """How far a margin is above threshold - buffer, divided by the buffer; else 0 (MASC).

    It is at least 1 if the margin is above the threshold, so its mean is an upper bound on the
    share of such tokens (arXiv 2606.02920).

    Args:
        margin: log-odds, in nats.
        threshold: upper bound that the margins should stay below (tau).
        buffer: distance below the threshold at which the loss becomes 0 (eta), more than 0.

    Example:
        >>> import torch
        >>> buffered_hinge(torch.tensor([-1.0, 0.0, 1.0]), threshold=0.0, buffer=0.5).tolist()
        [0.0, 1.0, 3.0]
    """
    return (margin - (threshold - buffer)).relu() / buffer


def top_flattening(
    logits: Float[Tensor, "N V"], reference_logits: Float[Tensor, "N V"], *, top_k: int
) -> Float[Tensor, " N"]:
    """Variance of the logits of the reference's K likeliest tokens (PALU, arXiv 2601.03190).

    0 if these are equally likely, whatever the others are; the others get no gradient.

    Args:
        logits: rows of the model in training.
        reference_logits: the same rows of the frozen reference model; no gradient.
        top_k: number of tokens; all of them if there are fewer.

    Example:
        >>> import torch
        >>> row, before = torch.tensor([[3.0, 1.0, 7.0]]), torch.tensor([[2.0, 1.0, 0.0]])
        >>> top_flattening(row, before, top_k=2).item()  # of 3 and 1
        1.0
    """
    return by_rows(_flattening(top_k), full(logits), full(reference_logits.detach()))[0]


def _column(values: Tensor) -> Tensor:
    return values.unsqueeze(-1)


def _edge(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k-th largest value of each row, and the weight of each value equal to it."""
    k = min(k, values.shape[-1])
    level = values.topk(k, -1).values[..., -1]
    above = (values > _column(level)).sum(-1)
    equal = (values == _column(level)).sum(-1)
    share = (k - above).to(values.dtype) / equal
    return level, torch.where(level == -torch.inf, 0, share)


def _shares(values: Tensor, level: Tensor, share: Tensor) -> Tensor:
    """Return 1 above the level, the share at the level, 0 below."""
    level = _column(level)
    return torch.where(values == level, _column(share), (values > level).to(values.dtype))


@cache
def _margin(top_k: int) -> RowFunction:
    """Target against the K largest others; the gradient is e_y - r, r their softmax."""

    def read(z: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        index = _column(target)
        rest = z.scatter(-1, index, -torch.inf)
        level, share = _edge(rest, min(top_k, z.shape[-1] - 1))
        shift = _column(rest.amax(-1).clamp(min=torch.finfo(z.dtype).min))
        shares = _shares(rest, level, share)
        lse = rest.sub_(shift).exp_().mul_(shares).sum(-1).log_().add_(shift.squeeze(-1))
        return z.gather(-1, index).squeeze(-1) - lse, level, share, lse

    def pull(
        z: Tensor, target: Tensor, level: Tensor, share: Tensor, lse: Tensor, grad: Tensor
    ) -> None:
        index = _column(target)
        z.scatter_(-1, index, -torch.inf)
        shares = _shares(z, level, share)
        z.sub_(_column(lse)).exp_().mul_(shares).mul_(-_column(grad))
        z.scatter_(-1, index, _column(grad))

    return RowFunction(1, read, pull)


@cache
def _flattening(top_k: int) -> RowFunction:
    """Mean of (z - mean)^2 over K tokens; the mean's own gradient cancels."""

    def read(z: Tensor, t: Tensor) -> tuple[Tensor, ...]:
        level, share = _edge(t, top_k)
        shares = _shares(t, level, share)
        shares /= _column(shares.sum(-1))
        mean = _kept(shares, z).sum(-1)
        gap = (z - _column(mean)).square_()
        return _kept(shares, gap).sum(-1), level, share, mean

    def pull(
        z: Tensor, t: Tensor, level: Tensor, share: Tensor, mean: Tensor, grad: Tensor
    ) -> Tensor:
        shares = _shares(t, level, share)
        shares *= _column(2 * grad / shares.sum(-1))
        return _kept(shares, z - _column(mean))

    return RowFunction(1, read, pull)


def _kept(shares: Tensor, values: Tensor) -> Tensor:
    """Return the product, 0 where the share is 0 even if the value is infinite."""
    return torch.where(shares == 0, 0, shares * values)
