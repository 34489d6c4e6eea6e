"""Each loss as its definition says, over all positions and the whole vocabulary.

This is how the losses are usually programmed, and what ours are measured against: [B, T, V] logits
in float32, one contiguous copy of them shifted against the labels, dense masks as wide as the
vocabulary, every step in a tensor of its own. Where the paper's loss needs the model before, its
logits are made and copied likewise. A label of -100 does not count.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as ce
from torch.nn.functional import kl_div, log_softmax, logsigmoid, one_hot

IGNORED = -100


def logits_of(hidden: Tensor, weight: Tensor) -> Tensor:
    """[B, T, V], made in the dtype of the model, then widened."""
    return full(hidden @ weight.T)


def full(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def shifted(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The logits at position t against the label at t + 1."""
    return logits[:, :-1].contiguous(), labels[:, 1:].contiguous()


def mean(values: Tensor, labels: Tensor) -> Tensor:
    supervised = labels != IGNORED
    return (values * supervised).sum() / supervised.sum()


# One value for the batch, a mean over its supervised tokens.


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    logits, labels = shifted(logits, labels)
    return ce(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def undial(logits: Tensor, before: Tensor, labels: Tensor, *, strength: float) -> Tensor:
    """Cross-entropy to softmax(before - strength * one-hot)."""
    before, _ = shifted(before, labels)
    logits, labels = shifted(logits, labels)
    mask = torch.zeros_like(logits).scatter_(-1, labels.clamp(min=0).unsqueeze(-1), 1.0)
    adjusted = before - mask * strength
    label = adjusted.softmax(-1)
    log_p = log_softmax(logits, -1)
    return mean(-(label * log_p).sum(-1), labels)


def unilogit(logits: Tensor, labels: Tensor) -> Tensor:
    """KL(model || label), the label being softmax of these logits with the target's rewritten."""
    logits, labels = shifted(logits, labels)
    index = labels.clamp(min=0).unsqueeze(-1)
    with torch.no_grad():
        mask = torch.zeros_like(logits, dtype=torch.bool).scatter_(-1, index, True)
        others = logits.masked_fill(mask, float("-inf")).logsumexp(-1, keepdim=True)
        uniform = others - math.log(logits.shape[-1] - 1)  # this logit gives it probability 1/V
        log_label = log_softmax(torch.where(mask, uniform, logits), -1)
    log_p = log_softmax(logits, -1)
    return mean((log_p.exp() * (log_p - log_label)).sum(-1), labels)


def inverted_hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """1 + p_y - max(p_v, v != y), the target and the others picked by a mask of integers."""
    logits, labels = shifted(logits, labels)
    mask = one_hot(labels.clamp(min=0), logits.shape[-1])
    p = logits.softmax(-1)
    hit = (p * mask).sum(-1)
    rival = p[mask == 0].view(*labels.shape, -1).amax(-1)
    return mean(1 + hit - rival, labels)


def kl_to_reference(logits: Tensor, before: Tensor, labels: Tensor) -> Tensor:
    """KL(before || model)."""
    before, _ = shifted(before, labels)
    logits, labels = shifted(logits, labels)
    log_p, log_q = log_softmax(logits, -1), log_softmax(before, -1)
    return mean(kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1), labels)


# One value for the batch, a mean over its answers.


def answer_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """[B], the vocabulary moved to the axis where cross-entropy wants it."""
    logits, labels = shifted(logits, labels)
    values = ce(logits.transpose(-1, -2), labels, ignore_index=IGNORED, reduction="none")
    return values.sum(-1)


def npo(logits: Tensor, labels: Tensor, reference: Tensor, *, beta: float) -> Tensor:
    """The reference is [B], each answer's log-probability under the model before."""
    ratio = -answer_nll(logits, labels) - reference
    return (-2 / beta * logsigmoid(-beta * ratio)).mean()


def simnpo(logits: Tensor, labels: Tensor, *, beta: float, margin: float = 0.0) -> Tensor:
    lengths = (labels[:, 1:] != IGNORED).sum(-1)
    nll = answer_nll(logits, labels) / lengths
    return (-2 / beta * logsigmoid(beta * nll - margin)).mean()


def dpo(
    wanted: tuple[Tensor, Tensor, Tensor], unwanted: tuple[Tensor, Tensor, Tensor], *, beta: float
) -> Tensor:
    """Each side: logits, labels, and the answers' log-probabilities under the model before."""
    up = -answer_nll(*wanted[:2]) - wanted[2]
    down = -answer_nll(*unwanted[:2]) - unwanted[2]
    return (-2 / beta * logsigmoid(beta * (up - down))).mean()
