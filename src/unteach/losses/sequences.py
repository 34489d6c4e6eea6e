"""Losses of a whole answer's log-probability: one value per answer."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid


def npo(
    logps: Float[Tensor, " B"], reference_logps: Float[Tensor, " B"], *, beta: float
) -> Float[Tensor, " B"]:
    """-(2 / beta) log sigmoid(-beta (logps - reference_logps)) (NPO, arXiv 2404.05868, eq. 3).

    Tends to gradient ascent on `logps` as beta tends to 0.

    Args:
        logps: log-probability of each whole answer, in nats (a sum over its tokens).
        reference_logps: the same under the model before; no gradient.
        beta: how soon a forgotten answer stops pushing; above 0.

    Example:
        >>> import torch
        >>> start = torch.tensor([-3.0])
        >>> round(npo(start, start, beta=0.5).item(), 4)  # (2 / 0.5) log 2
        2.7726
    """
    return -(2 / beta) * logsigmoid(-beta * (logps - reference_logps.detach()))
