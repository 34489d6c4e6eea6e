"""Losses against a second distribution over the vocabulary: one value per row."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import log_softmax


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
    log_p = log_softmax(_full(logits), -1)
    log_q = log_softmax(_full(reference_logits.detach()), -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)


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
        reference_logits: the same rows of the frozen model before; no gradient.
        target: the answer tokens.
        strength: how far the target's logit is lowered, in nats; the label then gives it
            p0 e^-strength / (1 - p0 + p0 e^-strength).

    Example:
        >>> import torch
        >>> even = torch.zeros(1, 2)
        >>> round(undial(even, even, torch.tensor([0]), strength=0.0).item(), 4)  # entropy
        0.6931
    """
    adjusted = _full(reference_logits.detach()).clone()
    adjusted[torch.arange(len(target), device=target.device), target] -= strength
    return -(adjusted.softmax(-1) * log_softmax(_full(logits), -1)).sum(-1)


def _full(logits: Tensor) -> Tensor:
    """At least float32: in bfloat16 the gradient of a small KL is off by 8%."""
    return logits if logits.dtype == torch.float64 else logits.float()
