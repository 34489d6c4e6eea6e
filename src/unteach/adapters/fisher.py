"""Compute diagonal Fisher information: how much each weight matters for some texts."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from unteach.adapters.by_sample import NotBySample, add_squares
from unteach.head import head_of
from unteach.inference.gradients import each_gradient
from unteach.inference.rows import answer_rows
from unteach.progress import ProgressCallback
from unteach.types import Sequence


def fisher(
    model: Any,
    sequences: list[Sequence],
    layers: Iterable[str],
    progress: ProgressCallback = lambda done, total: None,
    *,
    batch: int = 1,
    device: torch.device | str | None = None,
) -> dict[str, Tensor]:
    """Return diagonal Fisher information of the base weights of layers with adapters.

    F = sum_i n_i g_i^2 / sum_i n_i, with g_i the gradient of batch i's mean loss (nats) over its
    n_i answer tokens. A batch is one sample by default; several samples then take one pass
    (`by_sample`). The authors of LoKU use more; gradients of different samples then cancel before
    they are squared, so the batch size changes the result.

    Memory: a sum of squares in float32 for each weight, and the gradient of one layer at a time, or
    of one layer for several samples within 64 MiB.

    Args:
        model: with adapters; its state is restored.
        sequences: texts; those without an answer are ignored.
        layers: names of modules with an adapter.
        progress: called with the number of sequences done.
        batch: samples per gradient, in the given order.
        device: of the sums; None is each weight's own.

    Returns:
        By layer, [out, in] on that device, in float32 (float64 for float64 weights).
    """
    modules = dict(model.named_modules())
    bases = {name: modules[name].get_base_layer() for name in layers}
    sums = {
        name: torch.zeros_like(base.weight, dtype=exact(base.weight), device=device)
        for name, base in bases.items()
    }
    usable = [s for s in sequences if any(s.answer)]
    silent = len(sequences) - len(usable)

    def told(done: int) -> None:
        progress(silent + done, len(sequences))

    if batch > 1 or not _by_sample(model, usable, bases, sums, told):
        _one_by_one(model, usable, bases, sums, batch, told)
    tokens = max(sum(sum(s.answer) for s in usable), 1)
    return {n: out_in(modules[n], s.div_(tokens)) for n, s in sums.items()}


Told = Callable[[int], None]
"""Called with the number of sequences done."""


def _by_sample(
    model: Any, usable: list[Sequence], bases: dict[str, Any], sums: dict[str, Tensor], told: Told
) -> bool:
    """Whether every sample's gradient can be told from a batch; if so the sums have their squares.

    Not so, for example, in layers of experts, whose rows are tokens of any sample.
    """
    try:
        with _evaluating(model), each_gradient(model, {}, lambda name, gradient: None):
            add_squares(model, usable, bases, sums, told)
    except NotBySample:
        for total in sums.values():
            total.zero_()
        return False
    return True


def _one_by_one(
    model: Any,
    usable: list[Sequence],
    bases: dict[str, Any],
    sums: dict[str, Tensor],
    batch: int,
    told: Told,
) -> None:
    """Add each batch's squared gradient to the sums, with a pass of its own for each."""
    weights = {name: base.weight for name, base in bases.items()}

    def take(name: str, gradient: Tensor) -> None:
        gradient = gradient.to(sums[name].device, sums[name].dtype)
        sums[name].addcmul_(gradient, gradient)

    with _evaluating(model), each_gradient(model, weights, take):
        for start in range(0, len(usable), batch):
            members = usable[start : start + batch]
            n = sum(sum(s.answer) for s in members)
            (n**0.5 * _loss(model, members)).backward()
            told(start + len(members))


def out_in(layer: Any, matrix: Tensor) -> Tensor:
    """Convert a base weight to [out, in], and back: GPT-2's weights are [in, out]."""
    return matrix.T if getattr(layer, "fan_in_fan_out", False) else matrix


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def exact(weight: Tensor) -> torch.dtype:
    """Return the dtype for sums of squares and factors of a weight, float32 or float64."""
    return torch.promote_types(weight.dtype, torch.float32)


def _loss(model: Any, sequences: list[Sequence]) -> Tensor:
    """Return the mean loss over all answer tokens; logits are computed for these only."""
    head = head_of(model)
    rows, target = answer_rows(model, sequences, head)
    return torch.nn.functional.cross_entropy(head.traced(rows), target)
