"""Compute losses that are functions of the token statistics alone: one value per row."""

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, smooth_l1_loss


def cross_entropy(log_odds: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """-log p of the target, in nats.

    Example:
        >>> import torch
        >>> round(cross_entropy(torch.tensor([0.0])).item(), 4)  # p = 1/2: log 2
        0.6931
    """
    return -logsigmoid(log_odds)


def ascent(log_odds: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Log p of the target: minimising it is gradient ascent on the cross-entropy. Unbounded below.

    Example:
        >>> import torch
        >>> round(ascent(torch.tensor([0.0])).item(), 4)
        -0.6931
    """
    return logsigmoid(log_odds)


def unlikelihood(log_odds: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """-log(1 - p) of the target: ascent with a lower bound, since its gradient fades with p.

    Its gradient is p_y on the target and -p_y r_v on each other token, r the model's own
    distribution over the others.

    Example:
        >>> import torch
        >>> round(unlikelihood(torch.tensor([0.0])).item(), 4)  # p = 1/2: log 2
        0.6931
    """
    return -logsigmoid(-log_odds)


def weighted_ascent(log_odds: Float[Tensor, " N"], *, beta: float) -> Float[Tensor, " N"]:
    """p^beta log p, the weight without gradient (WGA, arXiv 2502.19301).

    Forgotten tokens have a vanishing gradient; beta 0 is plain ascent.

    Example:
        >>> import torch
        >>> round(weighted_ascent(torch.tensor([0.0]), beta=1.0).item(), 4)  # log(1/2) / 2
        -0.3466
    """
    log_p = logsigmoid(log_odds)
    return (beta * log_p.detach()).exp() * log_p


def satimp(
    log_odds: Float[Tensor, " N"], *, saturation: float, importance: float
) -> Float[Tensor, " N"]:
    """p^saturation (1 - p)^importance log p, the weight without gradient (arXiv 2505.11953).

    Example:
        >>> import torch
        >>> round(satimp(torch.tensor([0.0]), saturation=1.0, importance=1.0).item(), 4)
        -0.1733
    """
    log_p, log_miss = logsigmoid(log_odds), logsigmoid(-log_odds)
    weight = (saturation * log_p + importance * log_miss).detach().exp()
    return weight * log_p


def jensen_shannon_to_token(log_odds: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Jensen-Shannon divergence of the model to the one-hot target, at most log 2.

    It depends on p, the target's probability, alone:
    log(2 / (1 + p)) / 2 + (p log(2 p / (1 + p)) + (1 - p) log 2) / 2 (JensUn, arXiv 2509.02820).

    Example:
        >>> import torch
        >>> round(jensen_shannon_to_token(torch.tensor([-40.0])).item(), 4)  # p = 0: log 2
        0.6931
    """
    log_hit, log_miss = logsigmoid(log_odds), logsigmoid(-log_odds)
    hit, miss = log_hit.exp(), log_miss.exp()
    mean = (-miss / 2).log1p()  # log((1 + p) / 2), precise also for p near 1
    return (hit * (log_hit - mean) + miss * math.log(2) - mean) / 2


def inverted_hinge(
    log_odds: Float[Tensor, " N"], runner_up_logp: Float[Tensor, " N"]
) -> Float[Tensor, " N"]:
    """1 + p_y - max(p_v, v != y), between 0 and 2 (LoKU, arXiv 2408.06621).

    The gradient flows into the likeliest other token too, as in the authors' code.

    Example:
        >>> import torch
        >>> even = torch.tensor([0.0])  # target and one other token, 1/2 each
        >>> inverted_hinge(even, runner_up_logp=torch.tensor([0.0])).item()
        1.0
    """
    hit = logsigmoid(log_odds).exp()  # sigmoid's own gradient loses all digits for p near 1
    return 1 + hit - (logsigmoid(-log_odds) + runner_up_logp).exp()


def unilogit(
    log_odds: Float[Tensor, " N"],
    *,
    vocabulary: int,
    level: Float[Tensor, " N"] | None = None,
    direction: Literal["reverse", "forward"] = "reverse",
) -> Float[Tensor, " N"]:
    """Divergence to the model's own distribution with the target moved to 1/V (arXiv 2505.06027).

    The soft label keeps the ratios of all other tokens, so log p - log q takes two values only and
    the sum over the vocabulary is a divergence of two-point distributions. Gradients are the same
    whether or not the label is detached.

    Args:
        log_odds: log-odds of the target.
        vocabulary: V, the number of logits per row, padded entries included.
        level: the log-probability that the target is moved to instead, in nats.
        direction: "reverse" is KL(model || label), the paper's; "forward" is KL(label || model).

    Example:
        >>> import torch
        >>> uniform = -torch.tensor([4 - 1.0]).log()  # p = 1/4
        >>> abs(round(unilogit(uniform, vocabulary=4).item(), 6))
        0.0
    """
    log_hit, log_miss = logsigmoid(log_odds), logsigmoid(-log_odds)
    if level is None:
        share, hit, miss = 1 / vocabulary, -math.log(vocabulary), math.log1p(-1 / vocabulary)
    else:
        hit = level.to(log_odds).clamp(max=-1e-6)  # as in `with_target_logps`
        share, miss = hit.exp(), (-hit.expm1()).log()
    if direction == "reverse":
        return log_hit.exp() * (log_hit - hit) + log_miss.exp() * (log_miss - miss)
    return share * (hit - log_hit) + (1 - share) * (miss - log_miss)


def to_level(log_odds: Float[Tensor, " N"], level: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Huber(log p - level) of the target, quadratic within 1 nat of its level.

    Divergences hardly move a token that is unlikely under both distributions, and this does.

    Args:
        log_odds: log-odds of the target.
        level: the log-probability at which it should end, in nats.

    Example:
        >>> import torch
        >>> round(to_level(torch.tensor([0.0]), torch.tensor([-3.0])).item(), 4)  # 3 - log 2 - 1/2
        1.8069
    """
    return smooth_l1_loss(ascent(log_odds), level.to(log_odds), reduction="none")
