"""Compute a loss of logits and its gradients chunk by chunk, a few rows of logits at a time.

The loss of each chunk is computed in the forward pass, together with its gradients with respect to
final hidden states and head. So only one chunk's logits are in memory, and none are computed twice.
liger-kernel's fused losses work the same way; here the loss may be any function of the rows.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unteach.head import Head
from unteach.losses.answer_rows import AnswerRows, NeedsWholeAnswersError
from unteach.losses.byrows import spoiling_gradients
from unteach.rowengine.chunks import Chunk, cut, kinds, pieces
from unteach.rowengine.tied import Carrier, carrier_to
from unteach.rowengine.whole_answers import with_statistics

Value = Callable[[AnswerRows, int], Tensor | None]
"""(rows of some answers, index of the first answer) -> their part of the loss; None for none."""


class RowGroup(NamedTuple):
    """The rows of one group and their loss.

    Attributes:
        name: the group's name.
        seen: the rows, with final hidden states [N, D] in place of logits.
        value: returns the loss of any of the rows; a sum over answers.
    """

    name: str
    seen: AnswerRows
    value: Value

    @property
    def rows(self) -> int:
        """Number of rows of all kinds."""
        return sum(len(kind.target) for kind in kinds(self.seen) if kind is not None)


class CutRules:
    """Remembers which groups' losses need complete answers.

    A loss that is a sum over rows allows chunks that split answers. A loss of complete answers'
    log-probabilities does not; it raises `NeedsWholeAnswersError` when it reads them.
    """

    def __init__(self):
        self.coupled: set[str] = set()


def chunked_loss(
    groups: list[RowGroup],
    head: Head,
    before: Head | None = None,
    teacher: Head | None = None,
    *,
    limit: int,
    ways: CutRules,
) -> Tensor:
    """Return the sum of the groups' losses, a scalar whose gradients are computed already.

    Exact for any function of the rows. Needs about `4 * limit * V` bytes, twice that with rows of
    the reference model, plus the head's gradient if the head is trained.

    Args:
        groups: the groups to sum.
        head: of the model in training.
        before: of the reference model, for rows whose `reference_logits` hold hidden states.
        teacher: of the teacher, for rows whose `teacher_logits` hold hidden states.
        limit: rows of logits in memory at once.
        ways: kept from step to step.
    """
    limit = max(limit // max(map(_draws, groups), default=1), 1)
    sums = _Sums(groups, head, before, teacher, limit)
    long: list[tuple[int, Chunk]] = []
    for number, group in enumerate(groups):
        if group.name not in ways.coupled and group.rows > limit:
            parts = cut(group.seen, limit)
            try:
                sums.add(number, next(parts))
            except NeedsWholeAnswersError:  # only caught while nothing is summed yet
                ways.coupled.add(group.name)
            else:
                for part in parts:
                    sums.add(number, part)
                continue
        for piece in pieces(group.seen, limit):
            if len(piece) <= limit:
                sums.add(number, piece)
            else:
                long.append((number, piece))
    sums.add_whole(long)
    return sums.total()


def _draws(group: RowGroup) -> int:
    """Return how many teacher rows each row of the group has."""
    taught = group.seen.teacher_logits
    return taught.shape[1] if taught is not None and taught.ndim == 3 else 1


class _Sums:
    """Loss and gradients accumulated so far."""

    def __init__(
        self,
        groups: list[RowGroup],
        head: Head,
        before: Head | None,
        teacher: Head | None,
        limit: int,
    ):
        self.groups, self.head, self.limit = groups, head, limit
        self.before, self.teacher = before, teacher
        self.settled: list[Tensor] = []  # losses without a graph
        self.open: list[Tensor] = []  # losses with one
        self.inputs: list[Tensor] = []
        self.grads: list[Tensor] = []
        self.slots: dict[Any, int] = {}
        self.few = sum(group.rows for group in groups) <= 4 * limit

    def add(self, number: int, piece: Chunk) -> None:
        """Add the loss and gradients of a chunk that fits within the limit."""
        opened = [None if kind is None else self._open(kind) for kind in kinds(piece.seen)]
        hidden = _leaf(piece.seen.hidden)
        own, *beside = (None if o is None else o.seen for o in opened)
        alternate, prompt = (None if part is None else part.for_loss() for part in beside)
        seen = replace(own, alternate=alternate, prompt=prompt, hidden=hidden)  # type: ignore[type-var]
        value = self.groups[number].value(seen.for_loss(), piece.first)
        if value is None:
            return
        self.settled.append(value.detach())
        if not value.requires_grad:
            return
        leaves = [o.seen.logits for o in opened if o is not None]
        others = [] if hidden is None or not hidden.requires_grad else [hidden]
        gradients = iter(self._gradients(value, leaves, others))
        for kind, (part, rows) in enumerate(zip(opened, piece.rows, strict=True)):
            if part is not None and (gradient := next(gradients)) is not None:
                states = kinds(self.groups[number].seen)[kind].logits  # type: ignore[union-attr]
                self._back(part, gradient, (number, kind), states, rows)  # type: ignore[arg-type]
        for gradient in gradients:
            if gradient is not None:
                whole: Any = self.groups[number].seen.hidden
                self._slot((number, "hidden"), whole)[piece.rows[0]].add_(gradient)

    def add_whole(self, long: list[tuple[int, Chunk]]) -> None:
        """Add the losses of answers longer than the limit, from their rows' statistics alone.

        All at once: each call of `with_statistics` costs a gradient as large as the head.
        """
        parts = [kind for _, piece in long for kind in kinds(piece.seen) if kind is not None]
        known = iter(with_statistics(parts, self.head, self.limit) if parts else ())
        for number, piece in long:
            own, alternate, prompt = (k if k is None else next(known) for k in kinds(piece.seen))
            seen = replace(own, alternate=alternate, prompt=prompt)  # type: ignore[type-var]
            value = self.groups[number].value(seen, piece.first)
            if value is not None:
                self.open.append(value)

    def total(self) -> Tensor:
        """Return the loss, with its gradients attached."""
        if not self.settled and not self.open:
            return torch.zeros((), device=self.head.weight.device)
        settled = torch.stack(self.settled).sum() if self.settled else None
        if settled is not None and self.inputs:
            settled = _Settled.apply(settled, self.grads, self._carrier(), *self.inputs)
        return torch.stack([*([] if settled is None else [settled]), *self.open]).sum()  # type: ignore[list-item]

    def _carrier(self) -> Carrier | None:
        """Return what carries the head's gradient to a tied embedding's."""
        states = [tensor for tensor in self.inputs if tensor.grad_fn is not None]
        return carrier_to(self.head.weight, states)

    def _open(self, seen: AnswerRows) -> "_Opened":
        """Compute the rows' logits, as leaves of a graph."""
        states = _leaf(seen.logits)
        assert states is not None
        with torch.set_grad_enabled(not self.head.plain and torch.is_grad_enabled()):
            product = self.head.logits(states)
        logits = product.detach().requires_grad_(torch.is_grad_enabled())
        before = logits_of(self.before, seen.reference_logits)
        taught = logits_of(self.teacher, seen.teacher_logits)
        shown = replace(seen, logits=logits, reference_logits=before, teacher_logits=taught)
        return _Opened(shown, states, product)

    def _gradients(self, value: Tensor, leaves: list, others: list) -> list[Tensor | None]:
        if self.head.cap is None:  # a cap's slope is computed from the logits, so keep them
            return spoiling_gradients(value, leaves, others)
        return list(torch.autograd.grad(value, [*leaves, *others], allow_unused=True))

    def _back(
        self, part: "_Opened", gradient: Tensor, slot: Any, states: Tensor, rows: slice
    ) -> None:
        """Propagate the gradient of a chunk's logits to its hidden states and to the head."""
        trained = self.head.trained
        if not self.head.plain:
            inputs = [*([part.states] if states.requires_grad else []), *trained]
            gradients = list(torch.autograd.grad(part.product, inputs, gradient, allow_unused=True))
            if states.requires_grad:
                self._add(slot, states, gradients.pop(0), rows)
            for weight, more in zip(trained, gradients, strict=True):
                self._add(id(weight), weight, more)
            return
        gradient = self.head.unruled(gradient, part.seen.logits)  # type: ignore[arg-type]
        if states.requires_grad:
            self._add(slot, states, self.head.back(gradient), rows)
        for weight in trained:
            into = self._slot(id(weight), weight, wide=not self.few)
            if weight is self.head.bias:
                into.add_(gradient.sum(0))
            else:
                self.head.collect(gradient, part.states, into)

    def _add(self, slot: Any, of: Tensor, gradient: Tensor | None, rows: Any = ...) -> None:
        if gradient is not None and of.requires_grad:
            self._slot(slot, of)[rows].add_(gradient)

    def _slot(self, name: Any, of: Tensor, *, wide: bool = False) -> Tensor:
        """Return the tensor that accumulates the gradient of an input."""
        if name not in self.slots:
            self.slots[name] = len(self.inputs)
            self.inputs.append(of)
            # Many half-precision sums lose digits, a few do not; and float16 underflows on
            # gradients that the loss scaler has not scaled yet.
            wide = wide or of.dtype == torch.float16
            dtype = torch.float32 if wide and of.element_size() < 4 else of.dtype
            self.grads.append(torch.zeros_like(of, dtype=dtype, requires_grad=False))
        return self.grads[self.slots[name]]


class _Opened(NamedTuple):
    """Rows with their logits.

    Attributes:
        seen: the rows; their logits are a leaf.
        states: the hidden states of the rows, a leaf.
        product: the head's output, with a graph if the head is not a plain matrix.
    """

    seen: AnswerRows
    states: Tensor
    product: Tensor


class _Settled(torch.autograd.Function):
    """A scalar whose gradients are computed already."""

    @staticmethod
    def forward(
        ctx: Any, value: Tensor, grads: list[Tensor], carrier: Carrier | None, *inputs: Tensor
    ) -> Tensor:
        ctx.carrier = carrier
        ctx.carried = [carrier is not None and i is carrier.weight for i in inputs]
        ctx.dtypes = [i.dtype for i in inputs]
        ctx.grads = [
            g if d == torch.float16 else g.to(d) for g, d in zip(grads, ctx.dtypes, strict=True)
        ]
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor):  # type: ignore[override]
        if ctx.grads is None:
            raise RuntimeError("the gradients of this loss were given away by the first backward")
        grads, ctx.grads = ctx.grads, None
        if grad != 1:
            grads = [g.mul_(grad.to(g)) for g in grads]
        grads = [g.to(d) for g, d in zip(grads, ctx.dtypes, strict=True)]
        if any(ctx.carried):
            number = ctx.carried.index(True)
            ctx.carrier.gradient, grads[number] = grads[number], None
        return None, None, None, *grads


@torch.no_grad()
def logits_of(head: Head | None, states: Tensor | None) -> Tensor | None:
    """Return a frozen head's logits of the states; without a head return the input unchanged."""
    if head is None or states is None:
        return states
    return head.logits(states.flatten(0, -2)).unflatten(0, states.shape[:-1])


def _leaf(value: Tensor | None) -> Tensor | None:
    if value is None:
        return None
    return value.detach().requires_grad_(value.requires_grad and torch.is_grad_enabled())
