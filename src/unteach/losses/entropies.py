"""Compute the entropy of each row's distribution, and gradient ascent weighted by it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from unteach.losses.byrows import RowFunction, by_rows
from unteach.losses.statistics import full, others_lse


def entropy(logits: Float[Tensor, "N V"], *, temperature: float = 1.0) -> Float[Tensor, " N"]:
    """Entropy of the softmax of each row, in nats.

    Computed as the entropy of the likeliest token against all others, plus that among the others:
    this stays precise if one token has nearly all the probability.

    Args:
        logits: rows, any float dtype.
        temperature: divisor of the logits; above 1 flattens the distribution.

    Example:
        >>> import torch
        >>> round(entropy(torch.zeros(1, 4)).item(), 4)  # log 4
        1.3863
    """
    rows = full(logits)
    return by_rows(ENTROPY, rows if temperature == 1 else rows / temperature)[0]


def entropy_weighted_ascent(
    log_odds: Float[Tensor, " N"], weight: Float[Tensor, " N"]
) -> Float[Tensor, " N"]:
    """Log p of the target times a weight without gradient (ETW, arXiv 2604.17785).

    Args:
        log_odds: log-odds of the target.
        weight: of each row, proportional to its `entropy`.

    Example:
        >>> import torch
        >>> even = torch.zeros(1, 2)
        >>> round(entropy_weighted_ascent(torch.tensor([0.0]), entropy(even)).item(), 4)
        -0.4805
    """
    return weight.detach() * logsigmoid(log_odds)


def _read(z: Tensor) -> tuple[Tensor, ...]:
    """With m the likeliest token, p its probability: H = H(p, 1 - p) + (1 - p) H(the others)."""
    first = z.argmax(-1, keepdim=True)
    rest = z.scatter(-1, first, -torch.inf)
    _, _, lse = others_lse(rest.clone())
    log_odds = z.gather(-1, first).squeeze(-1) - lse
    log_r = rest.sub_(lse.unsqueeze(-1))
    others = -torch.where(log_r == -torch.inf, 0, log_r * log_r.exp()).sum(-1)
    log_hit, log_miss = logsigmoid(log_odds), logsigmoid(-log_odds)
    value = log_miss.exp() * (others - log_miss) - log_hit.exp() * log_hit
    return value, first.squeeze(-1), lse, log_miss, value


def _pull(
    z: Tensor, first: Tensor, lse: Tensor, log_miss: Tensor, value: Tensor, grad: Tensor
) -> None:
    """Gradient -p (log p + H); where p is above 1/2, as minus the sum of the other gradients."""
    first, value, grad = first.unsqueeze(-1), value.unsqueeze(-1), grad.unsqueeze(-1)
    log_p = z.sub_((lse - log_miss).unsqueeze(-1))
    slope = torch.where(log_p == -torch.inf, 0, -log_p.exp() * (log_p + value)) * grad
    left = -slope.scatter(-1, first, 0).sum(-1, keepdim=True)
    own = torch.where(log_miss.unsqueeze(-1) > -math.log(2), slope.gather(-1, first), left)
    z.copy_(slope.scatter_(-1, first, own))


ENTROPY = RowFunction(1, _read, _pull)
