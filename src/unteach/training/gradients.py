"""Forgetting and holding as two gradients: orthogonalisation, and sharpness-aware forgetting."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

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

NOISE = 1e-6  # of a gradient's length
PIECE = 2**24  # numbers of a gradient that are multiplied at once


class TwoGradients:
    """Two gradients of one optimiser step for the same parameters.

    One of them stands in `.grad`, where backward passes add to it; the other waits. So they
    accumulate over micro-batches, and DDP reduces each with its own backward pass.

    Args:
        parameters: those that are trained.
        conflict: "sum", "conflict" or "always", see `combine`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], conflict: str):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.conflict = conflict
        self.waiting: list[Tensor | None] = [None] * len(self.parameters)

    def swap(self) -> None:
        """The one that waits takes the other's place."""
        for k, parameter in enumerate(self.parameters):
            parameter.grad, self.waiting[k] = self.waiting[k], parameter.grad

    @torch.no_grad()
    def combine(self) -> None:
        """Leave one gradient in `.grad`: that of holding is there, that of forgetting waits.

        With "conflict", the part of the forget gradient along the other is taken out where the two
        point against each other; with "always", in any case; with "sum", never.
        """
        hold, push, share = [p.grad for p in self.parameters], self.waiting, 0.0
        if self.conflict != "sum":
            share = share_along(push, hold, always=self.conflict == "always")
        self.waiting = [None] * len(self.parameters)
        for parameter, one, other in zip(self.parameters, hold, push, strict=True):
            if one is None:
                parameter.grad = other
            else:  # hold + (push - share hold), in the memory that is there
                one.mul_(1 - share)
                parameter.grad = one if other is None else one.add_(other)

    @torch.no_grad()
    def climb(self, radius: float) -> list[Tensor | None]:
        """Move the weights along the gradient in `.grad`, by a step of that length.

        Where the gradient is no number nothing moves. `.grad` is empty then: its memory keeps the
        weights as they were, which are returned for `back`.
        """
        found = [p.grad for p in self.parameters]
        norm = _dot(found, found) ** 0.5
        step = radius / max(norm, 1e-12) if math.isfinite(norm) else None
        for parameter, gradient in zip(self.parameters, found, strict=True):
            if gradient is not None:
                there = parameter.clone() if step is None else parameter + gradient * step
                gradient.copy_(parameter)
                parameter.copy_(there)
                parameter.grad = None
        return found

    @torch.no_grad()
    def back(self, kept: list[Tensor | None]) -> None:
        """The weights as they were before `climb`, to the bit."""
        for parameter, old in zip(self.parameters, kept, strict=True):
            if old is not None:
                parameter.copy_(old)


def share_along(
    push: list[Tensor | None], hold: list[Tensor | None], *, always: bool = False
) -> float:
    """How much of `hold` is in `push`, over all tensors as one vector: push . hold / hold . hold.

    So `push - share * hold` has no part along `hold`. 0 where `hold` is noise beside `push`: a KL
    to the model before begins at nothing, and the rounding errors of its gradient point anywhere.

    Args:
        push: gradients; None stands for zero.
        hold: of the same parameters.
        always: also where the two do not point against each other; else 0 there.

    Example:
        >>> share_along([torch.tensor([1.0, -1.0])], [torch.tensor([0.0, 2.0])])
        -0.5
    """
    along, size = _dot(push, hold), _dot(hold, hold)
    if size <= NOISE**2 * _dot(push, push) or (along >= 0 and not always):
        return 0.0
    return along / size


def _dot(one: list[Tensor | None], other: list[Tensor | None]) -> float:
    """Exact enough for vectors of billions; a piece at a time, since a copy in float64 is large."""
    total = 0.0
    for a, b in zip(one, other, strict=True):
        if a is None or b is None:
            continue
        exact = torch.float32 if a.device.type == "mps" else torch.float64
        pieces = zip(a.flatten().split(PIECE), b.flatten().split(PIECE), strict=True)
        total += torch.stack([(x.to(exact) * y.to(exact)).sum() for x, y in pieces]).sum().item()
    return total
