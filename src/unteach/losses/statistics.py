"""The two numbers per row that nearly every token-level loss is a function of."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class TokenStatistics(NamedTuple):
    """What a row of logits says about its target token y.

    Attributes:
        margin: z_y - logsumexp(z_v, v != y), in nats. The log-odds of the target:
            p_y = sigmoid(margin), log p_y = logsigmoid(margin).
        rival: max(z_v, v != y) - logsumexp(z_v, v != y), in nats, at most 0. The best other token
            has probability sigmoid(-margin) * exp(rival).
    """

    margin: Float[Tensor, " N"]
    rival: Float[Tensor, " N"]


def token_statistics(logits: Float[Tensor, "N V"], target: Int[Tensor, " N"]) -> TokenStatistics:
    """Margin and rival of each row, in float32 or better, differentiable.

    The margin keeps its digits where the target is memorised (1 - p_y of 1e-9): the usual
    difference of logsumexp and z_y loses all of them there in float32.

    Args:
        logits: the rows that predict an answer token, any float dtype.
        target: the answer tokens, each in [0, V).

    Example:
        >>> rows = token_statistics(torch.tensor([[1.0, 1.0, 1.0, 1.0]]), torch.tensor([2]))
        >>> round(torch.sigmoid(rows.margin).item(), 4)
        0.25
    """
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()  # half precision loses the tail, and the tail is what moves
    index = target.unsqueeze(-1)
    others = logits.scatter(-1, index, float("-inf"))
    log_others = others.logsumexp(-1)
    margin = logits.gather(-1, index).squeeze(-1) - log_others
    return TokenStatistics(margin, others.amax(-1) - log_others)
