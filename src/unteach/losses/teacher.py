"""Change a teacher's distributions row by row, and compute the loss of distilling them."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unteach.losses.distributions import kl_to_reference
from unteach.losses.statistics import full, token_statistics
from unteach.losses.tokens import to_level


def exchange_columns(
    logps: Float[Tensor, "N V"], pairs: Int[Tensor, "N S 2"]
) -> Float[Tensor, "N V"]:
    """Exchange the entries of some pairs of tokens in each row, one pair after the other.

    Args:
        logps: rows of log-probabilities.
        pairs: token ids; a pair of equal ids changes nothing, so (0, 0) may pad.

    Example:
        >>> import torch
        >>> row, pairs = torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[[0, 2], [1, 1]]])
        >>> [round(x, 1) for x in exchange_columns(row, pairs)[0].tolist()]
        [0.3, 0.2, 0.1]
    """
    exchanged = full(logps)
    for pair in pairs.unbind(1):
        x, y = pair[:, :1], pair[:, 1:]
        a, b = exchanged.gather(1, x), exchanged.gather(1, y)
        exchanged = exchanged.scatter(1, x, b).scatter(1, y, a)
    return exchanged


def mean_over_draws(logps: Float[Tensor, "N K V"]) -> Float[Tensor, "N V"]:
    """Return the log of the mean of K distributions in each row.

    Args:
        logps: log-probabilities.

    Example:
        >>> import torch
        >>> rows = torch.tensor([[[0.5, 0.5], [0.1, 0.9]]]).log()
        >>> [round(x, 3) for x in mean_over_draws(rows).exp()[0].tolist()]
        [0.3, 0.7]
    """
    return full(logps).logsumexp(1) - math.log(logps.shape[1])


def with_target_logps(
    logps: Float[Tensor, "N V"], target: Int[Tensor, " N"], wanted: Float[Tensor, " N"]
) -> Float[Tensor, "N V"]:
    """Set each row's target to the log-probability `wanted`; keep the ratios of all other tokens.

    Args:
        logps: rows of log-probabilities.
        target: the answer tokens.
        wanted: log-probabilities in nats; nan leaves a row unchanged.

    Example:
        >>> import torch
        >>> rows = torch.tensor([[0.5, 0.25, 0.25]]).log()
        >>> changed = with_target_logps(rows, torch.tensor([0]), torch.tensor([0.2]).log())
        >>> [round(x, 3) for x in changed.exp()[0].tolist()]
        [0.2, 0.4, 0.4]
    """
    column, logps = target[:, None], full(logps)
    others = logps.scatter(1, column, float("-inf")).log_softmax(-1)
    level = wanted.to(logps.dtype).clamp(max=-1e-6)[:, None]
    rest = others + torch.log(-torch.expm1(level))
    changed = rest.scatter(1, column, level)
    return torch.where(wanted.isnan()[:, None], logps, changed)


def distil(
    logits: Float[Tensor, "N V"],
    teacher_logps: Float[Tensor, "N V"],
    target: Int[Tensor, " N"],
    *,
    level_weight: float,
) -> Float[Tensor, " N"]:
    """KL(teacher || model) + level_weight * Huber(log p - log q of the target), in nats.

    The gradient of the KL on the target's logit is p - q, which vanishes once both are small, but
    membership attacks read log p: so the second term acts on log p itself (Huber with 1 nat).

    Args:
        logits: rows of the model in training.
        teacher_logps: log-probabilities of the teacher; no gradient.
        target: the answer tokens.
        level_weight: weight of the second term.

    Example:
        >>> import torch
        >>> same = torch.tensor([[0.3, -1.0, 2.0]]).log_softmax(-1)
        >>> round(distil(same, same, torch.tensor([0]), level_weight=0.3).item(), 6)
        0.0
    """
    teacher = full(teacher_logps.detach())
    values = kl_to_reference(logits, teacher)
    if not level_weight:
        return values
    known = teacher.gather(1, target[:, None])[:, 0]
    return values + level_weight * to_level(token_statistics(logits, target).log_odds, known)
