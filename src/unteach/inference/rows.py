"""The rows of a forward pass that predict answer tokens, and the head that makes logits of them."""

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
    """Rows that predict the answer tokens, one text after the other, and these tokens, [N].

    Args:
        model: what is asked.
        sequences: one batch.
        head: the model's, whose input [N, D] comes back; None for the model's own logits [N, V].
    """
    ids = right_padded([s.ids for s in sequences], model.device)
    attention = right_padded([(1,) * len(s.ids) for s in sequences], model.device)
    with nullcontext() if head is None else states_only(model) as caught:
        output = model(input_ids=ids, attention_mask=attention, use_cache=False)
    places = [[t for t, is_answer in enumerate(s.answer) if is_answer] for s in sequences]
    where = {"device": model.device, "dtype": torch.long}
    row = torch.tensor([r for r, found in enumerate(places) for _ in found], **where)
    at = torch.tensor([t for found in places for t in found], **where)
    given = output.logits if caught is None else caught[0]
    return given[row, at - 1], ids[row, at]


def logits_of(rows: Tensor, head: Head | None) -> Tensor:
    """[n, V] of some of the rows, in float32 or better."""
    return full(rows) if head is None else head.logits(rows)


def pieces(rows: Tensor, head: Head | None) -> list[slice]:
    """Rows whose logits are held at once; at least one piece, which may be empty."""
    limit = max(len(rows), 1) if head is None else chunk_rows(head, rows.device)
    return [slice(k, k + limit) for k in range(0, max(len(rows), 1), limit)]


def in_parts(values: Tensor, sequences: list[Sequence]) -> list[list]:
    """Values of all answer tokens, text by text."""
    return [part.tolist() for part in values.split([sum(s.answer) for s in sequences])]


AGREED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def known_head(model: Any, sequences: list[Sequence]) -> Head | None:
    """The head, where it is known what the model does behind it; asked once of each model."""
    if model not in AGREED:
        AGREED[model] = _known(model, sequences)
    return head_of(model) if AGREED[model] else None


def agree_on_head(model: Any, sequences: list[Sequence]) -> None:
    """Let `known_head` give the head on all processes, or on none; all must come here.

    Two that round unlike might differ, and in shards wait for one another for ever.
    """
    AGREED[model] = all(together(lambda: _known(model, sequences), lockstep=in_lockstep(model)))


def _known(model: Any, sequences: list[Sequence]) -> bool:
    ids = torch.tensor([min(sequences, key=lambda s: len(s.ids)).ids], device=model.device)
    try:
        require_agreement(model, ids)
    except UserError:
        return False  # the model's own logits will do, with more memory
    return True
