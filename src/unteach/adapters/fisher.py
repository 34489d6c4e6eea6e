"""Fisher information: how much each weight matters to some texts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from unteach.nouns import Sequence
from unteach.probes import Progress, right_padded


def fisher(
    model: Any,
    sequences: list[Sequence],
    layers: Iterable[str],
    progress: Progress = lambda done, total: None,
) -> dict[str, Tensor]:
    """Diagonal Fisher information of the base weights of layers with adapters.

    F = sum_i n_i g_i^2 / sum_i n_i, with g_i the gradient of sample i's mean loss (nats) over its
    n_i answer tokens. The authors of LoKU square the gradient of a batch's mean, so that the batch
    size changes the result; one sample at a time does not, and needs no padding.

    Args:
        model: with adapters; it comes back as it was.
        sequences: those without an answer count for nothing.
        layers: names of modules that carry an adapter.
        progress: told how many sequences are done.

    Returns:
        By layer, [out, in] on the weight's device, in float32 (float64 for float64 weights).
    """
    modules = dict(model.named_modules())
    weights = {name: modules[name].get_base_layer().weight for name in layers}
    sums = {n: torch.zeros_like(w, dtype=_exact(w)) for n, w in weights.items()}
    tokens = 0
    with _only(model, weights), _squared_into(sums, weights):
        for done, sequence in enumerate(sequences, 1):
            if n := sum(sequence.answer):
                (n**0.5 * _loss(model, sequence)).backward()
                tokens += n
            progress(done, len(sequences))
    return {n: out_in(modules[n], s.div_(max(tokens, 1))) for n, s in sums.items()}


def out_in(layer: Any, matrix: Tensor) -> Tensor:
    """[out, in] of a base weight, and back: GPT-2 keeps its weights the other way round."""
    return matrix.T if getattr(layer, "fan_in_fan_out", False) else matrix


@contextmanager
def _squared_into(sums: dict[str, Tensor], weights: dict[str, Tensor]) -> Iterator[None]:
    """Each gradient goes into its sum and is freed at once: never all of them in memory."""

    def take(total: Tensor, weight: Tensor) -> None:
        assert weight.grad is not None
        grad = weight.grad.to(total.dtype)
        weight.grad = None
        total.addcmul_(grad, grad)

    hooks = [
        weight.register_post_accumulate_grad_hook(lambda w, total=sums[name]: take(total, w))
        for name, weight in weights.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _only(model: Any, weights: dict[str, Tensor]) -> Iterator[None]:
    """Gradients for these weights alone, in evaluation mode."""
    before = [(p, p.requires_grad) for p in model.parameters()]
    was_training = model.training
    model.eval().requires_grad_(False)
    for weight in weights.values():
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for p, required in before:
            p.requires_grad_(required)
        model.train(was_training)


def _exact(weight: Tensor) -> torch.dtype:
    return torch.promote_types(weight.dtype, torch.float32)


def _loss(model: Any, sequence: Sequence) -> Tensor:
    ids = right_padded([sequence.ids], model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
    answer = torch.tensor(sequence.answer[1:], device=logits.device)
    return torch.nn.functional.cross_entropy(logits[answer].to(_exact(logits)), ids[0, 1:][answer])
