"""Keep forget and retain gradients apart, for orthogonalisation and sharpness-aware forgetting."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from unteach.errors import Problem
from unteach.methods import Method
from unteach.rowengine.batch import Pairs
from unteach.types import Paper

SAM = Paper(
    title="Towards LLM Unlearning Resilient to Relearning Attacks: A Sharpness-Aware Minimization "
    "Perspective and Beyond",
    authors="Chongyu Fan and Jinghan Jia and Yihua Zhang and Anil Ramakrishna and Mingyi Hong and "
    "Sijia Liu",
    year=2025,
    arxiv="2502.05374",
    where="SAM on the forget loss: its gradient is taken at theta + radius g / |g|",
    venue="ICML 2025",
)

NOISE = 1e-6  # relative to a gradient's norm
PIECE = 2**24  # entries of a gradient that are multiplied at once
NEEDS_WHOLE = Problem(
    "DeepSpeed or FSDP",
    "shards what train.sam, orthogonalisation and task vectors need whole",
    "start with plain data parallelism (DDP), or drop these",
    "request",
)


class TwoGradients:
    """Two gradients of one optimiser step for the same parameters.

    One is in `.grad`, where backward passes add to it; the other is stored in `waiting`. So both
    accumulate over micro-batches, and DDP reduces each in its own backward pass.

    Args:
        parameters: the parameters; only those that require gradients are used.
        conflict: "sum", "conflict" or "always", see `combine`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], conflict: str):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.conflict = conflict
        self.waiting: list[Tensor | None] = [None] * len(self.parameters)

    def swap(self) -> None:
        """Exchange the gradient in `.grad` with the stored one."""
        for k, parameter in enumerate(self.parameters):
            parameter.grad, self.waiting[k] = self.waiting[k], parameter.grad

    @torch.no_grad()
    def combine(self) -> None:
        """Combine the retain gradient in `.grad` with the stored forget gradient, into `.grad`.

        With "conflict", the forget gradient's component along the retain gradient is removed if the
        two point in opposite directions; with "always", in any case; with "sum", never.
        """
        hold, push, share = [p.grad for p in self.parameters], self.waiting, 0.0
        if self.conflict != "sum":
            share = share_along(push, hold, always=self.conflict == "always")
        self.waiting = [None] * len(self.parameters)
        for parameter, one, other in zip(self.parameters, hold, push, strict=True):
            if one is None:
                parameter.grad = other
            else:  # hold + (push - share hold), in place
                one.mul_(1 - share)
                parameter.grad = one if other is None else one.add_(other)

    @torch.no_grad()
    def climb(self, radius: float) -> list[Tensor | None]:
        """Move the weights by `radius` along the gradient in `.grad`.

        If the gradient is not finite the weights stay. Afterwards `.grad` is None.

        Returns:
            The weights before the move, for `back`, in the memory of the gradients.
        """
        gradients = [p.grad for p in self.parameters]
        norm = _dot(gradients, gradients) ** 0.5
        step = radius / max(norm, 1e-12) if math.isfinite(norm) else None
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if gradient is not None:
                moved = parameter.clone() if step is None else parameter + gradient * step
                gradient.copy_(parameter)
                parameter.copy_(moved)
                parameter.grad = None
        return gradients

    @torch.no_grad()
    def back(self, kept: list[Tensor | None]) -> None:
        """Restore the weights from before `climb`, bit for bit."""
        for parameter, old in zip(self.parameters, kept, strict=True):
            if old is not None:
                parameter.copy_(old)


def gradients_apart(
    method: Method, model: nn.Module, pairs: Pairs, *, sam: bool
) -> TwoGradients | None:
    """Return a holder of two gradients, for SAM and where a method combines them itself."""
    conflict, held = method.conflict(), pairs.retain or pairs.replay or method.holds()
    if sam or (conflict != "sum" and held):
        return TwoGradients(model.parameters(), conflict)
    return None


def share_along(
    push: list[Tensor | None], hold: list[Tensor | None], *, always: bool = False
) -> float:
    """Return push . hold / hold . hold, with all tensors as one vector.

    `push - share * hold` then has no component along `hold`. The result is 0 if `hold` is tiny
    against `push`: a KL to the reference model starts at 0, and its gradient is rounding errors.

    Args:
        push: forget gradients; None stands for zero.
        hold: retain gradients of the same parameters.
        always: also if the two do not point in opposite directions; else 0 in that case.

    Example:
        >>> share_along([torch.tensor([1.0, -1.0])], [torch.tensor([0.0, 2.0])])
        -0.5
    """
    along, size = _dot(push, hold), _dot(hold, hold)
    if size <= NOISE**2 * _dot(push, push) or (along >= 0 and not always):
        return 0.0
    return along / size


def _dot(one: list[Tensor | None], other: list[Tensor | None]) -> float:
    """Dot product in float64 for billions of entries; piece by piece, to limit copies in memory."""
    total = 0.0
    for a, b in zip(one, other, strict=True):
        if a is None or b is None:
            continue
        exact = torch.float32 if a.device.type == "mps" else torch.float64
        pieces = zip(a.flatten().split(PIECE), b.flatten().split(PIECE), strict=True)
        total += torch.stack([(x.to(exact) * y.to(exact)).sum() for x, y in pieces]).sum().item()
    return total
