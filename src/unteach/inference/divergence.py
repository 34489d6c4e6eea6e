"""How far a model's distributions went from the original's, with one backbone in memory at a time.

Final states of the rows that predict answers are kept while the model is scored, with its head.
Then the original is asked the same: two heads make logits of a few rows at a time.
"""

from typing import Any

import torch
from torch import Tensor

from unteach.errors import Problem, UserError
from unteach.head import Head
from unteach.inference.batches import batches_by_length
from unteach.inference.rows import answer_rows, in_parts, known_head, logits_of, pieces
from unteach.inference.store import HiddenStateStore, sweep
from unteach.losses.byrows import read_rows
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import by_batches
from unteach.progress import ProgressCallback
from unteach.types import Sequence


class KeptStates:
    """What a model's logits of answers are made of, by the number of the text.

    Of a model with an unknown rule behind its head these are the logits themselves, V numbers for
    a token instead of D; what is large goes to a file that has no name.

    Args:
        sequences: what the model will be asked, in the order of their numbers.
    """

    def __init__(self, sequences: list[Sequence]):
        sweep()
        self._sizes = {number: sum(s.answer) for number, s in enumerate(sequences)}
        self._store: HiddenStateStore | None = None
        self._head: Head | None = None

    def put(self, members: list[int], rows: Tensor, head: Head | None) -> None:
        """Keep the rows of a batch."""
        if self._store is None:
            self._store = HiddenStateStore(self._sizes, rows.shape[-1], rows.dtype)
            # A model that is read on a CPU is one block of memory, which any of its weights holds.
            self._head = head.frozen() if head and rows.device.type == "cpu" else head
        parts = rows.split([self._sizes[i] for i in members])
        for number, part in zip(members, parts, strict=True):
            self._store.put(number, part)

    def logits(self, rows: Tensor) -> Tensor:
        """[n, V] of some rows that were kept."""
        return logits_of(rows, self._head)

    def rows(self, members: list[int]) -> Tensor:
        """[N, D] of a batch."""
        assert self._store is not None, "nothing was kept"
        return self._store.rows(members)


@torch.inference_mode()
def divergences(
    original: Any,
    sequences: list[Sequence],
    kept: KeptStates,
    *,
    tokens_per_batch: int = 4096,
    shared: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[list[float]]:
    """KL(original || model) over the whole vocabulary at each answer token, in nats.

    Args:
        original: in evaluation mode.
        sequences: those that `answer_tokens` kept rows of.
        kept: these rows.
        tokens_per_batch: as they were scored with.
        shared: as they were scored with: each process has the rows of its own share.
        progress: told how many sequences are done.

    Raises:
        UserError: the two have other vocabularies.
    """
    batches = list(batches_by_length([len(s.ids) for s in sequences], tokens_per_batch))

    def measure(members: list[int]) -> list[list[float]]:
        chosen = [sequences[i] for i in members]
        head = known_head(original, sequences)
        rows, _ = answer_rows(original, chosen, head)
        beside = kept.rows(members)
        parts = []
        for piece in pieces(rows, head):
            logits = logits_of(rows[piece], head)
            other = kept.logits(beside[piece].to(rows.device))
            _require_same_width(other, logits)
            parts += read_rows(_read, other, logits)
        return in_parts(torch.cat(parts), chosen)

    lockstep = in_lockstep(original)
    return by_batches(batches, measure, shared=shared, lockstep=lockstep, progress=progress)


def _read(logits: Tensor, original: Tensor) -> tuple[Tensor]:
    """[n], summed as q (log q - log p): differences of large sums lose a small KL."""
    log_q = original.log_softmax(-1)
    q = log_q.exp()
    gap = torch.where(q > 0, log_q - logits.log_softmax(-1), 0)  # q log q is 0 at q = 0
    return ((q * gap).sum(-1).clamp(min=0),)  # rounding may leave a KL of 0 just below it


def _require_same_width(logits: Tensor, original: Tensor) -> None:
    if logits.shape[-1] != original.shape[-1]:
        what = f"has {original.shape[-1]} tokens in its vocabulary, the model {logits.shape[-1]}"
        hint = "give the model that this one was made from"
        raise UserError(Problem("the original", what, hint, "request"))
