"""Teacher forcing: what a model says of answers that are given."""

from contextlib import nullcontext
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unteach.head import Head, chunk_rows, head_of, require_agreement, states_only
from unteach.losses.byrows import read_rows
from unteach.losses.statistics import full
from unteach.nouns import Sequence, UserError
from unteach.probes.batches import Progress, batches_by_length, right_padded
from unteach.probes.together import by_batches


class Answered(NamedTuple):
    """What a model says of one answer's tokens, in order; float32 or better whatever its dtype.

    Attributes:
        logps: log-probabilities, in nats.
        hits: whether each was the likeliest token.
        ranks: how many tokens of the vocabulary were likelier.
        means: mean of log p over the vocabulary, weighted by p.
        spreads: its standard deviation, weighted likewise.
    """

    logps: list[float]
    hits: list[bool]
    ranks: list[int]
    means: list[float]
    spreads: list[float]


@torch.inference_mode()
def answer_tokens(
    model: PreTrainedModel,
    sequences: list[Sequence],
    *,
    tokens_per_batch: int = 4096,
    shared: bool = False,
    progress: Progress = lambda done, total: None,
) -> list[Answered]:
    """Score every answer token of every sequence by teacher forcing, one forward per text.

    Logits are made of answer tokens alone, a few rows at a time, where the model's head is known.

    Args:
        model: in evaluation mode.
        sequences: any lengths; they are sorted into batches of like length.
        tokens_per_batch: padded tokens of one forward.
        shared: deal the batches out to all processes, each of which must come here with the same.
        progress: told how many sequences are done.

    Returns:
        One `Answered` per sequence, in the order given.
    """
    if not sequences:
        return []
    head = known_head(model, sequences)
    batches = list(batches_by_length([len(s.ids) for s in sequences], tokens_per_batch))

    def score(members: list[int]) -> list[Answered]:
        return _score(model, [sequences[i] for i in members], head)

    return by_batches(batches, score, shared=shared, progress=progress)


def _score(model: PreTrainedModel, sequences: list[Sequence], head: Head | None) -> list[Answered]:
    rows, target = answer_rows(model, sequences, head)
    limit = max(len(rows), 1) if head is None else chunk_rows(head, rows.device)
    parts = []
    for start in range(0, max(len(rows), 1), limit):
        part = slice(start, start + limit)
        logits = full(rows[part]) if head is None else head.logits(rows[part])
        parts.append(read_rows(_read, logits, target[part]))
    sizes = [sum(s.answer) for s in sequences]
    columns = [torch.cat(part).split(sizes) for part in zip(*parts, strict=True)]
    return [Answered(*(part.tolist() for part in one)) for one in zip(*columns, strict=True)]


def answer_rows(
    model: PreTrainedModel, sequences: list[Sequence], head: Head | None
) -> tuple[Tensor, Tensor]:
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
    row = torch.tensor([r for r, found in enumerate(places) for _ in found], device=model.device)
    at = torch.tensor([t for found in places for t in found], device=model.device)
    row, at = row.long(), at.long()  # of no places torch makes floats
    given = output.logits if caught is None else caught[0]
    return given[row, at - 1], ids[row, at]


def _read(logits: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    """[n] each: log p of the target, whether it is the likeliest, its rank, mean and spread."""
    own = logits.gather(-1, target[:, None])
    rank = (~(logits <= own)).sum(-1)  # a logit that is no number is likelier than none
    logp = logits.log_softmax(-1)
    p = logp.exp()
    finite = logp.clamp(min=torch.finfo(logp.dtype).min)  # p log p is 0 at p = 0
    mean = (p * finite).sum(-1)
    spread = (p * (finite - mean[:, None]).square()).sum(-1).sqrt()
    # Of the logits, as the rank is: log-softmax rounds two that differ to one.
    return logp.gather(-1, target[:, None])[:, 0], logits.argmax(-1) == target, rank, mean, spread


AGREED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def known_head(model: PreTrainedModel, sequences: list[Sequence]) -> Head | None:
    """The head, where it is known what the model does behind it; asked once of each model."""
    if model not in AGREED:
        ids = torch.tensor([min(sequences, key=lambda s: len(s.ids)).ids], device=model.device)
        try:
            require_agreement(model, ids)
            AGREED[model] = True
        except UserError:
            AGREED[model] = False  # the model's own logits will do, with more memory
    return head_of(model) if AGREED[model] else None
