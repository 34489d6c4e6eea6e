"""Compute losses that need full distributions over the vocabulary: one value per row."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from unteach.losses import divergences
from unteach.losses.byrows import by_rows
from unteach.losses.statistics import full, token_statistics
from unteach.losses.tokens import unilogit


def kl_to_reference(
    logits: Float[Tensor, "N V"], reference_logits: Float[Tensor, "N V"]
) -> Float[Tensor, " N"]:
    """KL(reference || model), in nats; no gradient to the reference.

    Summed as q (log q - log p) directly: differences of large sums lose a small KL.

    Example:
        >>> import torch
        >>> same = torch.tensor([[0.3, -1.0, 2.0]])
        >>> kl_to_reference(same, same).item()
        0.0
    """
    return by_rows(divergences.KL, full(logits), _detached(reference_logits))[0]


def undial(
    logits: Float[Tensor, "N V"],
    reference_logits: Float[Tensor, "N V"],
    target: Int[Tensor, " N"],
    *,
    strength: float,
) -> Float[Tensor, " N"]:
    """Cross-entropy to the reference with its target logit lowered (UnDIAL, arXiv 2402.10052).

    Args:
        logits: rows of the model in training.
        reference_logits: the same rows of the frozen reference model; no gradient.
        target: the answer tokens.
        strength: how far the target's logit is lowered, in nats; its probability in the label is
            then p0 e^-strength / (1 - p0 + p0 e^-strength).

    Example:
        >>> import torch
        >>> even = torch.zeros(1, 2)
        >>> round(undial(even, even, torch.tensor([0]), strength=0.0).item(), 4)  # entropy
        0.6931
    """
    reference = _detached(reference_logits)
    lowered = reference.new_full((len(target),), strength)
    return by_rows(divergences.UNDIAL, full(logits), reference, target, lowered)[0]


def unilogit_to_reference(
    logits: Float[Tensor, "N V"],
    reference_logits: Float[Tensor, "N V"],
    target: Int[Tensor, " N"],
    *,
    level: Float[Tensor, " N"] | None = None,
    direction: Literal["reverse", "forward"] = "reverse",
) -> Float[Tensor, " N"]:
    """Divergence to the *reference* with its target moved to 1/V (Unilogit's variant).

    Computed as the sum of a two-point divergence, target against all others (`unilogit`), and the
    divergence among the others: this stays precise for a memorised target.

    Args:
        logits: rows of the model in training.
        reference_logits: the same rows of the frozen reference model; no gradient.
        target: the answer tokens.
        level: the log-probability that the target is moved to instead, in nats.
        direction: "reverse" is KL(model || label), "forward" is KL(label || model).

    Example:
        >>> import torch
        >>> even = torch.zeros(1, 4)  # the target's probability is 1/4 already
        >>> round(unilogit_to_reference(even, even, torch.tensor([2])).item(), 6)
        0.0
    """
    log_odds = token_statistics(logits, target).log_odds
    own = unilogit(log_odds, vocabulary=logits.shape[-1], level=level, direction=direction)
    rows = full(logits), _detached(reference_logits), target
    if direction == "reverse":
        return own + logsigmoid(-log_odds).exp() * by_rows(divergences.OTHERS_REVERSE, *rows)[0]
    others = 1 - 1 / logits.shape[-1] if level is None else -level.to(log_odds).expm1()
    return own + others * by_rows(divergences.OTHERS_FORWARD, *rows)[0]


def jensen_shannon(
    logits: Float[Tensor, "N V"], reference_logits: Float[Tensor, "N V"]
) -> Float[Tensor, " N"]:
    """Jensen-Shannon divergence to the reference, at most log 2; no gradient to the reference.

    Example:
        >>> import torch
        >>> sure = torch.tensor([[60.0, 0.0]])
        >>> round(jensen_shannon(sure, sure.flip(-1)).item(), 4)  # nothing in common: log 2
        0.6931
    """
    return by_rows(divergences.JENSEN_SHANNON, full(logits), _detached(reference_logits))[0]


def ce_u(logits: Float[Tensor, "N V"], target: Int[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Cross-entropy to the model's own distribution without the target (CE-U, arXiv 2503.01224).

    The label has no gradient, so its entropy is a constant and the rest is -log(1 - p_y): the
    gradient is that of `unlikelihood`.

    Example:
        >>> import torch
        >>> round(ce_u(torch.zeros(1, 3), torch.tensor([0])).item(), 4)  # log 3
        1.0986
    """
    with torch.no_grad():
        entropy = by_rows(divergences.OTHERS_ENTROPY, full(logits), target)[0]
    return entropy - logsigmoid(-token_statistics(logits, target).log_odds)


def flattening(logits: Float[Tensor, "N V"]) -> Float[Tensor, " N"]:
    """Squared difference of the largest logit and the mean logit (PDU, arXiv 2506.05314).

    0 if all logits are equal; no softmax is involved.

    Example:
        >>> import torch
        >>> flattening(torch.tensor([[3.0, 0.0, 0.0]])).item()
        4.0
    """
    return by_rows(divergences.FLATTENING, full(logits))[0]


def _detached(reference_logits: Tensor) -> Tensor:
    return full(reference_logits.detach())
