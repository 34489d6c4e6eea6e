"""Compute the norm of the gradient of each text's loss."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
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

    _require_gradients(model)
    norms: list[Tensor] = []

    def take(name: str, gradient: Tensor) -> None:
        dtype = gradient.dtype if gradient.dtype == torch.float64 else torch.float32
        norms.append(torch.linalg.vector_norm(gradient, dtype=dtype))

    with each_gradient(model, dict(model.named_parameters()), take):
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


def _require_gradients(model: Any) -> None:
    if in_lockstep(model):
        what = "weights in shards do not give the gradient of one text"
        hint = "start without FSDP, or do without gradient norms"
        raise UserError(Problem("gradient norms", what, hint, "request"))
    if not all(weight.is_floating_point() for weight in model.parameters()):
        hint = "evaluate the model in 16 or 32 bits, or do without gradient norms"
        raise UserError(Problem("gradient norms", "packed weights have none", hint, "request"))


@contextmanager
def each_gradient(
    model: Any, weights: Mapping[str, Tensor], take: Callable[[str, Tensor], None]
) -> Iterator[None]:
    """Within the context, give each gradient to a function and free it, once it is accumulated.

    So only one of them is in memory at a time. No other weight of the model has a gradient.

    Args:
        model: its gradients and `requires_grad` are restored afterwards.
        weights: those that get a gradient, by name.
        take: called with a weight's name and its gradient.
    """
    before = [(weight, weight.requires_grad, weight.grad) for weight in model.parameters()]

    def free(name: str, weight: Tensor) -> None:
        assert weight.grad is not None
        gradient, weight.grad = weight.grad, None
        take(name, gradient)

    handles = []
    try:
        for weight, _, _ in before:
            weight.requires_grad_(False).grad = None
        for name, weight in weights.items():
            weight.requires_grad_(True)
            hook = partial(free, name)
            handles.append(weight.register_post_accumulate_grad_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()
        for weight, trained, gradient in before:
            weight.requires_grad_(trained).grad = gradient
