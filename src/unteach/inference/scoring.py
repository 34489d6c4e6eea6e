"""Score given answers by teacher forcing: log-probabilities and ranks of their tokens."""

from typing import Any

import torch
from torch import Tensor

from unteach.inference.batches import batches_by_length
from unteach.inference.divergence import KeptStates, OriginalStates
from unteach.inference.rows import answer_rows, in_parts, known_head, logits_of, pieces
from unteach.inference.shared_prompts import SharedPromptReader
from unteach.losses.byrows import read_rows
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import by_batches
from unteach.progress import ProgressCallback
from unteach.types import Sequence, TokenScores


@torch.no_grad()  # weights that FSDP gathers in inference mode could not be trained afterwards
def answer_tokens(
    model: Any,
    sequences: list[Sequence],
    *,
    tokens_per_batch: int = 4096,
    kept: KeptStates | OriginalStates | None = None,
    once: SharedPromptReader | None = None,
    shared: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[TokenScores]:
    """Score every answer token of every sequence by teacher forcing, each text once.

    Where the model's head is known, logits are computed for answer tokens only, a few rows at a
    time.

    Args:
        model: in evaluation mode.
        sequences: of any lengths; they are sorted into batches of similar length.
        tokens_per_batch: padded tokens of one forward.
        kept: stores the hidden states for `divergences`; each process stores its own shard.
        once: from `reading_once`: forwards shared prompts once; None forwards each text in full.
        shared: split the batches over all processes; each must call this with the same arguments.
        progress: called with the number of sequences done.

    Returns:
        One `TokenScores` per sequence, in the order of `sequences`.
    """
    if not sequences:
        return []
    if once is None:
        batches = list(batches_by_length([len(s.ids) for s in sequences], tokens_per_batch))
        grouped = set[int]()
    else:
        batches, grouped = once.batches(model, sequences, tokens_per_batch)

    def score(members: list[int]) -> list[TokenScores]:
        chosen = [sequences[i] for i in members]
        head = known_head(model, sequences)
        read = answer_rows if once is None or members[0] not in grouped else once.answer_rows
        rows, target = read(model, chosen, head)
        if kept is not None:
            kept.put(members, rows, head)
        parts = [read_rows(_score, logits_of(rows[p], head), target[p]) for p in pieces(rows, head)]
        columns = [in_parts(torch.cat(part), chosen) for part in zip(*parts, strict=True)]
        return [TokenScores(*one) for one in zip(*columns, strict=True)]

    lockstep = in_lockstep(model)
    return by_batches(batches, score, shared=shared, lockstep=lockstep, progress=progress)


def _score(logits: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    """[n] each: log p of the target, whether it is the most likely, its rank, mean and spread."""
    own = logits.gather(-1, target[:, None])
    rank = (~(logits <= own)).sum(-1)  # a nan logit counts as more likely than the target
    logp = logits.log_softmax(-1)
    p = logp.exp()
    finite = logp.clamp(min=torch.finfo(logp.dtype).min)  # p log p is 0 at p = 0
    mean = (p * finite).sum(-1)
    spread = (p * (finite - mean[:, None]).square()).sum(-1).sqrt()
    # From the logits, like the rank: log-softmax may round two different logits to one value.
    hit = (logits.argmax(-1) == target) & (rank == 0)
    return logp.gather(-1, target[:, None])[:, 0], hit, rank, mean, spread
