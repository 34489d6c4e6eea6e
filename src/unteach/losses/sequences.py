"""Compute losses of complete answers' log-probabilities: one value per answer."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid


def npo(
    logps: Float[Tensor, " B"], reference_logps: Float[Tensor, " B"], *, beta: float
) -> Float[Tensor, " B"]:
    """-(2 / beta) log sigmoid(-beta (logps - reference_logps)) (NPO, arXiv 2404.05868, eq. 3).

    Tends to gradient ascent on `logps` as beta tends to 0.

    Args:
        logps: log-probability of each complete answer, in nats (a sum over its tokens).
        reference_logps: the same under the reference model; no gradient.
        beta: how fast the gradient vanishes as an answer is forgotten; above 0.

    Example:
        >>> import torch
        >>> start = torch.tensor([-3.0])
        >>> round(npo(start, start, beta=0.5).item(), 4)  # (2 / 0.5) log 2
        2.7726
    """
    return -(2 / beta) * logsigmoid(-beta * (logps - reference_logps.detach()))


def simnpo(
    logps: Float[Tensor, " B"],
    lengths: Float[Tensor, " B"],
    *,
    beta: float,
    margin: float = 0.0,
) -> Float[Tensor, " B"]:
    """-(2 / beta) log sigmoid(-beta logps / length - margin) (SimNPO, arXiv 2410.07163, eq. 4).

    Args:
        logps: log-probability of each complete answer, in nats.
        lengths: number of tokens of each answer; an empty answer counts as one token.
        beta: how fast the gradient vanishes as an answer is forgotten; above 0.
        margin: the paper's gamma, a margin that the log-probability per token must stay below.

    Example:
        >>> import torch
        >>> start = torch.tensor([0.0])
        >>> round(simnpo(start, torch.tensor([3.0]), beta=2.0).item(), 4)  # log 2
        0.6931
    """
    return -(2 / beta) * logsigmoid(-beta * logps / lengths.clamp(min=1) - margin)


def dpo(
    wanted: Float[Tensor, " B"],
    reference_wanted: Float[Tensor, " B"],
    unwanted: Float[Tensor, " B"],
    reference_unwanted: Float[Tensor, " B"],
    *,
    beta: float,
) -> Float[Tensor, " B"]:
    """-(2 / beta) log sigmoid(beta (log-ratio of wanted - log-ratio of unwanted)).

    DPO (arXiv 2305.18290, eq. 7) times 2 / beta, as usual in unlearning: without the wanted answer
    it is NPO.

    Args:
        wanted: log-probability of each replacement answer, in nats.
        reference_wanted: the same under the reference model; no gradient.
        unwanted: log-probability of each answer to forget.
        reference_unwanted: the same under the reference model; no gradient.
        beta: how fast the gradient vanishes as the two answers differ; above 0.

    Example:
        >>> import torch
        >>> same = torch.tensor([-3.0])
        >>> round(dpo(same, same, same, same, beta=0.5).item(), 4)  # (2 / 0.5) log 2
        2.7726
    """
    ratio = (wanted - reference_wanted.detach()) - (unwanted - reference_unwanted.detach())
    return -(2 / beta) * logsigmoid(beta * ratio)
