"""Batches of like length, and their padding."""

from collections.abc import Iterator

import torch
from torch import Tensor


def batches_by_length(
    lengths: list[int], tokens_per_batch: int, *, more: list[int] | None = None
) -> Iterator[list[int]]:
    """Indices in batches of like length, longest first so that memory runs out early if it must.

    Args:
        lengths: tokens of each.
        tokens_per_batch: padded tokens of one batch; one that is longer stands alone.
        more: tokens that will follow each. A batch is as wide as its longest and its most together.

    Example:
        >>> list(batches_by_length([3, 9, 4], tokens_per_batch=10))
        [[1], [2, 0]]
    """
    more = more or [0] * len(lengths)
    batch: list[int] = []
    longest = most = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i] - more[i], i)):
        longest, most = max(longest, lengths[i]), max(most, more[i])
        if batch and (longest + most) * (len(batch) + 1) > tokens_per_batch:
            yield batch
            batch, longest, most = [], lengths[i], more[i]
        batch.append(i)
    if batch:
        yield batch


def right_padded(rows: list[tuple[int, ...]], device: torch.device) -> Tensor:
    """[B, T], zeros behind each row."""
    width = max(map(len, rows))
    return torch.tensor([(*row, *(0,) * (width - len(row))) for row in rows], device=device)


def left_padded(rows: list[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """[B, T] ids and attention, zeros before each row."""
    width = max(map(len, rows))
    ids = [((0,) * (width - len(row)) + tuple(row)) for row in rows]
    attention = [(0,) * (width - len(row)) + (1,) * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(attention, device=device)
