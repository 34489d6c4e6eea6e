"""Sort texts into batches of similar length and pad them."""

from collections.abc import Iterator

import torch
from torch import Tensor


def batches_by_length(
    lengths: list[int],
    tokens_per_batch: int,
    *,
    more: list[int] | None = None,
    tight: float = 0.0,
) -> Iterator[list[int]]:
    """Batches of indices by similar length, longest first: if memory runs out, it does so early.

    Args:
        lengths: tokens of each text.
        tokens_per_batch: padded tokens of one batch; a longer text gets a batch of its own.
        more: new tokens that will follow each text. The width of a batch is its largest length plus
            its largest number of new tokens.
        tight: least length in a batch, as a share of its longest.

    Example:
        >>> list(batches_by_length([3, 9, 4], tokens_per_batch=10))
        [[1], [2, 0]]
    """
    more = more or [0] * len(lengths)
    batch: list[int] = []
    longest = most = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i] - more[i], i)):
        longest, most = max(longest, lengths[i]), max(most, more[i])
        full = (longest + most) * (len(batch) + 1) > tokens_per_batch
        if batch and (full or lengths[i] < tight * longest):
            yield batch
            batch, longest, most = [], lengths[i], more[i]
        batch.append(i)
    if batch:
        yield batch


def right_padded(rows: list[tuple[int, ...]], device: torch.device) -> Tensor:
    """Token ids [B, T], padded with zeros on the right."""
    width = max(map(len, rows))
    return torch.tensor([(*row, *(0,) * (width - len(row))) for row in rows], device=device)


def left_padded(rows: list[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both [B, T], padded with zeros on the left."""
    width = max(map(len, rows))
    ids = [((0,) * (width - len(row)) + tuple(row)) for row in rows]
    attention = [(0,) * (width - len(row)) + (1,) * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(attention, device=device)
