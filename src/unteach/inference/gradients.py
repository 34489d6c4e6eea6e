"""Compute the norm of the gradient of each text's loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from unteach.errors import Problem, UserError
from unteach.head import Head
from unteach.inference.rows import answer_rows, known_head, pieces
from unteach.losses.statistics import full
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import by_batches
from unteach.progress import ProgressCallback
from unteach.types import Sequence


def gradient_norms(
    model: Any,
    sequences: list[Sequence],
    *,
    shared: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[float]:
    """L2 norm of the gradient of each answer's mean NLL over all weights, adapters included.

    One text at a time, forward and backward. Only one weight's gradient is in memory at a time: its
    norm is computed and the gradient freed as soon as it is accumulated. Where the head is known,
    logits are computed for a few rows at a time, and again in the backward pass.

    Args:
        model: in evaluation mode; its gradients and `requires_grad` are restored.
        sequences: each with at least one answer token.
        shared: split the texts over all processes; each must call this with the same arguments.
        progress: called with the number of sequences done.

    Raises:
        UserError: the weights are quantized and have no gradient, or are sharded.
    """
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i].ids))

    def measure(members: list[int]) -> list[float]:
        with torch.inference_mode():
            head = known_head(model, sequences)
        return [_norm(model, sequences[i], head, norms) for i in members]

    with _gradient_norms(model) as norms:
        return by_batches([[i] for i in order], measure, shared=shared, progress=progress)


def _norm(model: Any, text: Sequence, head: Head | None, norms: list[Tensor]) -> float:
    with torch.enable_grad():
        _mean_nll(model, text, head).backward()
    total = torch.linalg.vector_norm(torch.stack(norms).double())
    norms.clear()
    return total.item()


def _mean_nll(model: Any, text: Sequence, head: Head | None) -> Tensor:
    rows, target = answer_rows(model, [text], head)
    if head is None:
        return cross_entropy(full(rows), target)

    def nll(states: Tensor, tokens: Tensor) -> Tensor:
        return cross_entropy(head.traced(states), tokens, reduction="sum")

    parts = [
        checkpoint(nll, rows[p], target[p], use_reentrant=False, preserve_rng_state=False)
        for p in pieces(rows, head)
    ]
    return torch.stack(parts).sum() / len(rows)  # type: ignore[arg-type]


@contextmanager
def _gradient_norms(model: Any) -> Iterator[list[Tensor]]:
    """Within the context, append the norm of each weight's gradient to a list and free it."""
    if in_lockstep(model):
        what = "weights in shards do not give the gradient of one text"
        hint = "start without FSDP, or do without gradient norms"
        raise UserError(Problem("gradient norms", what, hint, "request"))
    weights = list(model.parameters())
    if not all(weight.is_floating_point() for weight in weights):
        hint = "evaluate the model in 16 or 32 bits, or do without gradient norms"
        raise UserError(Problem("gradient norms", "packed weights have none", hint, "request"))
    before = [(weight.requires_grad, weight.grad) for weight in weights]
    norms: list[Tensor] = []

    def take(weight: Tensor) -> None:
        assert weight.grad is not None
        dtype = weight.grad.dtype if weight.grad.dtype == torch.float64 else torch.float32
        norms.append(torch.linalg.vector_norm(weight.grad, dtype=dtype))
        weight.grad = None

    handles = []
    try:
        for weight in weights:
            weight.requires_grad_(True).grad = None
            handles.append(weight.register_post_accumulate_grad_hook(take))
        yield norms
    finally:
        for handle in handles:
            handle.remove()
        for weight, (trained, gradient) in zip(weights, before, strict=True):
            weight.requires_grad_(trained).grad = gradient
