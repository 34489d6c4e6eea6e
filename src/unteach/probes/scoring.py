"""Teacher forcing: what a model says of answers that are given."""

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unteach.nouns import Sequence
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

    Args:
        model: in evaluation mode.
        sequences: any lengths; they are sorted into batches of like length.
        tokens_per_batch: padded tokens of one forward.
        progress: told how many sequences are done.

    Returns:
        One `Answered` per sequence, in the order given.
    """
    found: list[Answered | None] = [None] * len(sequences)
    done = 0
    for members in batches_by_length([len(s.ids) for s in sequences], tokens_per_batch):
        chosen = [sequences[i] for i in members]
        for i, answered in zip(members, _score(model, chosen), strict=True):
            found[i] = answered
        done += len(members)
        progress(done, len(sequences))
    return [a for a in found if a is not None]


def _score(model: PreTrainedModel, sequences: list[Sequence]) -> list[Answered]:
    ids = right_padded([s.ids for s in sequences], model.device)
    attention = right_padded([(1,) * len(s.ids) for s in sequences], model.device)
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits
    answered = []
    for row, sequence in enumerate(sequences):
        places = [t for t, is_answer in enumerate(sequence.answer) if is_answer]
        index = torch.tensor(places, dtype=torch.long, device=model.device)
        answered.append(_statistics(logits[row, index - 1], ids[row, index]))
    return answered


def _statistics(logits: Tensor, target: Tensor) -> Answered:
    logp = logits.float().log_softmax(-1)
    p = logp.exp()
    finite = logp.clamp(min=torch.finfo(logp.dtype).min)  # p log p is 0 at p = 0
    means = (p * finite).sum(-1)
    spreads = (p * (finite - means[:, None]).square()).sum(-1).sqrt()
    return Answered(
        logp.gather(-1, target[:, None])[:, 0].tolist(),
        (logp.argmax(-1) == target).tolist(),
        means.tolist(),
        spreads.tolist(),
    )
