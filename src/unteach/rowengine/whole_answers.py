"""Compute differentiable token statistics of long answers without holding all their logits.

The gradient of a loss of a complete answer's log-probability depends on all rows of the answer. So
the statistics are computed first, chunk by chunk. The backward pass depends on the head. If it is
frozen, the gradient needs one vector per row: the expectation of the head's rows under the
distribution over the other tokens, stored by the first pass. If the head is trained, the logits are
computed a second time.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from unteach.head import Head
from unteach.losses.answer_rows import AnswerRows
from unteach.losses.byrows import pull_rows, read_rows
from unteach.losses.entropies import entropy
from unteach.losses.statistics import STATISTICS, TokenStatistics, token_statistics


def with_statistics(parts: list[AnswerRows], head: Head, limit: int) -> list[AnswerRows]:
    """Return the rows with their statistics in place of logits.

    Entropies are computed on demand, from logits that are computed again.

    Args:
        parts: rows with final hidden states [N, D] in place of logits.
        head: of the same model.
        limit: rows of logits in memory at once.
    """
    states: Any = torch.cat([part.logits for part in parts])  # type: ignore[misc]
    target = torch.cat([part.target for part in parts])
    if head.plain:
        known = _Statistics.apply(states, target, head, limit, head.weight, head.bias)
    else:
        known = _by_checkpoints(states, target, head, limit)
    sizes = [len(part.target) for part in parts]
    margins, rivals = (values.split(sizes) for values in known)  # type: ignore[union-attr]
    return [
        replace(
            part,
            logits=None,
            reference_logits=None,
            teacher_logits=None,
            known_statistics=TokenStatistics(*own),
            entropies=partial(_entropies, part.logits.detach(), head, limit),  # type: ignore[union-attr]
        )
        for part, *own in zip(parts, margins, rivals, strict=True)
    ]


@torch.no_grad()
def _entropies(states: Tensor, head: Head, limit: int, temperature: float) -> Tensor:
    """Return the entropy [N] of each row, in nats, from hidden states."""
    parts = [entropy(head.logits(s), temperature=temperature) for s in states.split(limit)]
    return torch.cat(parts)


def _by_checkpoints(states: Tensor, target: Tensor, head: Head, limit: int) -> list[Tensor]:
    def one(rows: Tensor, answers: Tensor) -> TokenStatistics:
        return token_statistics(head.logits(rows), answers)

    pairs = zip(states.split(limit), target.split(limit), strict=True)
    parts = [checkpoint(one, *pair, use_reentrant=False) for pair in pairs]
    return [torch.cat(part) for part in zip(*parts, strict=True)]


class _Statistics(torch.autograd.Function):
    """Log-odds and runner-up log-probability of every row."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, target: Tensor, head: Head, limit: int,
        weight: Tensor, bias: Tensor | None,
    ):  # fmt: skip
        expects = not head.trained and ctx.needs_input_grad[0]
        columns, pulls = [], []
        for rows, answers in zip(states.split(limit), target.split(limit), strict=True):
            logits = head.logits(rows)
            columns.append(read_rows(STATISTICS.read, logits, answers))
            if expects:
                pulls.append(_pulls(head, logits, answers, *columns[-1][2:]))
            del logits  # before the next chunk's are computed
        margin, rival, *kept = (torch.cat(part) for part in zip(*columns, strict=True))
        pulls = [torch.cat(part) for part in zip(*pulls, strict=True)]
        ctx.head, ctx.limit = head, limit
        ctx.save_for_backward(states, target, *kept, *pulls)
        return margin, rival

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor):  # type: ignore[override]
        margin, rival = grads
        states, *columns = ctx.saved_tensors
        if len(columns) == 3:
            return _recompute(ctx.head, ctx.limit, states, [*columns, margin, rival])
        by_margin, by_rival = columns[3:]
        back = margin.unsqueeze(-1) * by_margin + rival.unsqueeze(-1) * by_rival
        return back.to(states.dtype), *(None,) * 5


def _pulls(head: Head, logits: Tensor, target: Tensor, best: Tensor, lse: Tensor) -> tuple:
    """Return the gradients of margin and rival with respect to the states, [n, D] each.

    The first is W_y - E_r[W], with r the distribution over the others; the second is W_m - E_r[W].
    """
    one, zero = torch.ones_like(lse), torch.zeros_like(lse)
    hit, miss = (
        head.slope(logits.gather(-1, i[:, None])).expand(-1, head.weight.shape[1]) * head.weight[i]
        for i in (target, best)
    )
    kept = logits if head.cap is None else logits.clone()
    gradient = pull_rows(STATISTICS, logits, logits, target, best, lse, one, zero)
    by_margin = head.back(head.unruled(gradient, kept))
    return by_margin, by_margin - hit + miss


def _recompute(head: Head, limit: int, states: Tensor, columns: list[Tensor]) -> tuple:
    """Compute the logits again and return the gradients of states, weight and bias."""
    back = torch.empty_like(states)
    weight = None
    if head.weight.requires_grad:
        few = head.weight.element_size() >= 4 or len(states) <= 4 * limit
        weight = torch.zeros_like(head.weight, dtype=None if few else torch.float32)
    bias = torch.zeros_like(head.bias) if head.bias is not None else None
    for start in range(0, len(states), limit):
        rows = slice(start, start + limit)
        logits = head.logits(states[rows])
        kept = logits if head.cap is None else logits.clone()
        gradient = pull_rows(STATISTICS, logits, logits, *(c[rows] for c in columns))
        gradient = head.unruled(gradient, kept)
        back[rows] = head.back(gradient)
        if weight is not None:
            head.collect(gradient, states[rows], weight)
        if bias is not None:
            bias.add_(gradient.sum(0))
        del logits, kept, gradient  # before the next chunk's are computed
    weight = None if weight is None else weight.to(head.weight.dtype)
    return back, None, None, None, weight, bias
