"""Teacher forcing: what a model says of answers that are given."""

from contextlib import nullcontext
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unteach.head import Head, chunk_rows, head_of, require_agreement, states_only
from unteach.losses.byrows import read_rows
from unteach.nouns import Sequence, UserError
from unteach.probes.batches import Progress, batches_by_length, right_padded


class Answered(NamedTuple):
    """What a model says of one answer's tokens, in order; float32 whatever the model's dtype."""

    logps: list[float]
    hits: list[bool]
    means: list[float]
    spreads: list[float]


@torch.inference_mode()
def answer_tokens(
    model: PreTrainedModel,
    sequences: list[Sequence],
    *,
    tokens_per_batch: int = 4096,
    progress: Progress = lambda done, total: None,
) -> list[Answered]:
    """Score every answer token of every sequence by teacher forcing, one forward per text.

    Logits are made of answer tokens alone, a few rows at a time, where the model's head is known.

    Args:
        model: in evaluation mode.
        sequences: any lengths; they are sorted into batches of like length.
        tokens_per_batch: padded tokens of one forward.
        progress: told how many sequences are done.

    Returns:
        One `Answered` per sequence, in the order given.
    """
    if not sequences:
        return []
    head = _known_head(model, sequences)
    found: list[Answered | None] = [None] * len(sequences)
    done = 0
    for members in batches_by_length([len(s.ids) for s in sequences], tokens_per_batch):
        chosen = [sequences[i] for i in members]
        for i, answered in zip(members, _score(model, chosen, head), strict=True):
            found[i] = answered
        done += len(members)
        progress(done, len(sequences))
    return [a for a in found if a is not None]


def _score(model: PreTrainedModel, sequences: list[Sequence], head: Head | None) -> list[Answered]:
    ids = right_padded([s.ids for s in sequences], model.device)
    attention = right_padded([(1,) * len(s.ids) for s in sequences], model.device)
    with nullcontext() if head is None else states_only(model) as caught:
        output = model(input_ids=ids, attention_mask=attention, use_cache=False)
    places = [[t for t, is_answer in enumerate(s.answer) if is_answer] for s in sequences]
    row = torch.tensor([r for r, found in enumerate(places) for _ in found], device=model.device)
    at = torch.tensor([t for found in places for t in found], device=model.device)
    if head is None:
        numbers = _statistics(output.logits[row, at - 1].float(), ids[row, at])
    else:
        assert caught is not None
        numbers = _by_head(head, caught[0][row, at - 1], ids[row, at])
    sizes = [len(found) for found in places]
    columns = [part.split(sizes) for part in numbers]
    return [Answered(*(part.tolist() for part in one)) for one in zip(*columns, strict=True)]


def _by_head(head: Head, states: Tensor, target: Tensor) -> list[Tensor]:
    """Of logits that are made a few rows at a time."""
    limit = chunk_rows(head, states.device)
    found = [
        _statistics(head.logits(rows), tokens)
        for rows, tokens in zip(states.split(limit), target.split(limit), strict=True)
    ]
    return [torch.cat(part) for part in zip(*found, strict=True)]


def _statistics(logits: Tensor, target: Tensor) -> list[Tensor]:
    return read_rows(_read, logits, target)


def _read(logits: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    """[n] each: log p of the target, whether it is the likeliest, mean and spread of log p."""
    logp = logits.log_softmax(-1)
    p = logp.exp()
    finite = logp.clamp(min=torch.finfo(logp.dtype).min)  # p log p is 0 at p = 0
    mean = (p * finite).sum(-1)
    spread = (p * (finite - mean[:, None]).square()).sum(-1).sqrt()
    return logp.gather(-1, target[:, None])[:, 0], logp.argmax(-1) == target, mean, spread


AGREED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _known_head(model: PreTrainedModel, sequences: list[Sequence]) -> Head | None:
    """The head, where it is known what the model does behind it; asked once of each model."""
    if model not in AGREED:
        ids = torch.tensor([min(sequences, key=lambda s: len(s.ids)).ids], device=model.device)
        try:
            require_agreement(model, ids)
            AGREED[model] = True
        except UserError:
            AGREED[model] = False  # the model's own logits will do, with more memory
    return head_of(model) if AGREED[model] else None
