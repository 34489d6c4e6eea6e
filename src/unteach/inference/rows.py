"""Select the hidden states that predict answer tokens, and compute their logits with the head."""

from contextlib import nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from unteach.errors import UserError
from unteach.head import Head, chunk_rows, head_of, require_agreement, states_only
from unteach.inference.batches import right_padded
from unteach.losses.statistics import full
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import together
from unteach.types import Sequence


def answer_rows(model: Any, sequences: list[Sequence], head: Head | None) -> tuple[Tensor, Tensor]:
    """Rows that predict the answer tokens, one text after the other, and these token ids [N].

    Args:
        model: in evaluation mode.
        sequences: one batch.
        head: the model's head, whose input [N, D] is returned; None returns the logits [N, V].
    """
    ids = right_padded([s.ids for s in sequences], model.device)
    attention = right_padded([(1,) * len(s.ids) for s in sequences], model.device)
    with nullcontext() if head is None else states_only(model) as caught:
        output = model(input_ids=ids, attention_mask=attention, use_cache=False)
    positions = [[t for t, is_answer in enumerate(s.answer) if is_answer] for s in sequences]
    where = {"device": model.device, "dtype": torch.long}
    row = torch.tensor([r for r, answer in enumerate(positions) for _ in answer], **where)
    at = torch.tensor([t for answer in positions for t in answer], **where)
    rows = output.logits if caught is None else caught[0]
    return rows[row, at - 1], ids[row, at]


def logits_of(rows: Tensor, head: Head | None) -> Tensor:
    """Logits [n, V] of some of the rows, in float32 or better."""
    return full(rows) if head is None else head.logits(rows)


def pieces(rows: Tensor, head: Head | None) -> list[slice]:
    """Slices of rows whose logits are in memory at once; at least one slice, which may be empty."""
    limit = max(len(rows), 1) if head is None else chunk_rows(head, rows.device)
    return [slice(k, k + limit) for k in range(0, max(len(rows), 1), limit)]


def in_parts(values: Tensor, sequences: list[Sequence]) -> list[list]:
    """Split values of all answer tokens into one list per text."""
    return [part.tolist() for part in values.split([sum(s.answer) for s in sequences])]


AGREED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def known_head(model: Any, sequences: list[Sequence]) -> Head | None:
    """The head, or None where it does not give the model's logits; checked once per model."""
    if model not in AGREED:
        AGREED[model] = _agrees(model, sequences)
    return head_of(model) if AGREED[model] else None


def agree_on_head(model: Any, sequences: list[Sequence]) -> None:
    """Make `known_head` return the head on all processes or on none; all must call this.

    Processes that round differently might disagree, and with a sharded model then deadlock.
    """
    AGREED[model] = all(together(lambda: _agrees(model, sequences), lockstep=in_lockstep(model)))


def _agrees(model: Any, sequences: list[Sequence]) -> bool:
    ids = torch.tensor([min(sequences, key=lambda s: len(s.ids)).ids], device=model.device)
    try:
        require_agreement(model, ids)
    except UserError:
        return False  # the model's own logits are used then, with more memory
    return True
