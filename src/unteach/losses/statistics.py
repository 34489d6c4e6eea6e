"""Compute the two numbers per row that nearly every token-level loss is a function of."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unteach.losses.byrows import RowFunction, by_rows


class TokenStatistics(NamedTuple):
    """Statistics of rows of logits with target tokens y.

    Attributes:
        log_odds: z_y - logsumexp(z_v, v != y), in nats. The log-odds of the target:
            p_y = sigmoid(log_odds), log p_y = logsigmoid(log_odds).
        runner_up_logp: max(z_v, v != y) - logsumexp(z_v, v != y), in nats, at most 0. The likeliest
            other token has probability sigmoid(-log_odds) * exp(runner_up_logp).
    """

    log_odds: Float[Tensor, " N"]
    runner_up_logp: Float[Tensor, " N"]


def token_statistics(logits: Float[Tensor, "N V"], target: Int[Tensor, " N"]) -> TokenStatistics:
    """`log_odds` and `runner_up_logp` of each row, in float32 or better, differentiable once.

    `log_odds` stays precise for a memorised target (1 - p_y of 1e-9), where the usual difference of
    logsumexp and z_y loses all digits in float32.

    Args:
        logits: the rows that predict an answer token, any float dtype.
        target: the answer tokens, each in [0, V).

    Example:
        >>> rows = token_statistics(torch.tensor([[1.0, 1.0, 1.0, 1.0]]), torch.tensor([2]))
        >>> round(torch.sigmoid(rows.log_odds).item(), 4)
        0.25
    """
    return TokenStatistics(*by_rows(STATISTICS, full(logits), target))


def full(logits: Tensor) -> Tensor:
    """Cast to float32 if needed: half precision loses the distribution's tail, which losses need.

    Example:
        >>> full(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return logits if logits.dtype in (torch.float32, torch.float64) else logits.float()


def others_lse(rest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return max, argmax and logsumexp of rows whose target is -inf; `rest` is overwritten."""
    top, rival = rest.max(-1)
    shift = top.clamp(min=torch.finfo(top.dtype).min).unsqueeze(-1)
    total = rest.sub_(shift).exp_().sum(-1)
    return top, rival, total.log_().add_(shift.squeeze(-1))


def _read(logits: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    index = target.unsqueeze(-1)
    top, rival, lse = others_lse(logits.scatter(-1, index, float("-inf")))
    return logits.gather(-1, index).squeeze(-1) - lse, top - lse, rival, lse


def _pull(
    logits: Tensor, target: Tensor, rival: Tensor, lse: Tensor, log_odds: Tensor, rivalry: Tensor
) -> None:
    """Gradient log_odds (e_y - r) + rivalry (e_m - r), where r is p without y, m the rival."""
    logits.scatter_(-1, target.unsqueeze(-1), float("-inf"))
    logits.sub_(lse.unsqueeze(-1)).exp_().mul_(-(log_odds + rivalry).unsqueeze(-1))
    logits.scatter_(-1, target.unsqueeze(-1), log_odds.unsqueeze(-1))
    logits.scatter_add_(-1, rival.unsqueeze(-1), rivalry.unsqueeze(-1))


STATISTICS = RowFunction(2, _read, _pull)
