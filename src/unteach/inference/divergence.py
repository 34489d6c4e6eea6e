"""Compute the KL divergence of a model from the original, with one backbone in memory at a time.

While the model is scored, the final hidden states that predict answer tokens are kept, and its
head. Then the original reads the same texts, and both heads compute logits for a few rows at a
time.
"""

from typing import Any

import torch
from torch import Tensor

from unteach.errors import Problem, UserError
from unteach.head import Head
from unteach.inference.batches import batches_by_length
from unteach.inference.rows import answer_rows, in_parts, known_head, logits_of, pieces
from unteach.inference.store import HiddenStateStore
from unteach.losses.byrows import read_rows
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import by_batches, together
from unteach.progress import ProgressCallback
from unteach.types import Sequence


class KeptStates:
    """Final hidden states of a model's answer tokens, by index of the text, and its head.

    Where it is unknown how the model computes logits from its head, the logits themselves are kept,
    V numbers per token instead of D. Large stores go to an unnamed temporary file.

    Args:
        sequences: texts that the model will score; their positions are the indices.
    """

    def __init__(self, sequences: list[Sequence]):
        self._sizes = {number: sum(s.answer) for number, s in enumerate(sequences)}
        self._store: HiddenStateStore | None = None
        self._head: Head | None = None

    def put(self, members: list[int], rows: Tensor, head: Head | None) -> None:
        """Keep the rows of a batch."""
        if self._store is None:
            self._store = HiddenStateStore(self._sizes, rows.shape[-1], rows.dtype)
            # On a CPU all weights may share one block of memory: keeping one would keep them all.
            self._head = head.frozen() if head and rows.device.type == "cpu" else head
        parts = rows.split([self._sizes[i] for i in members])
        for number, part in zip(members, parts, strict=True):
            self._store.put(number, part)

    def logits(self, rows: Tensor) -> Tensor:
        """Logits [n, V] of some of the kept rows."""
        return logits_of(rows, self._head)

    def rows(self, members: list[int]) -> Tensor:
        """Kept rows [N, D] of a batch."""
        assert self._store is not None, "nothing was kept"
        return self._store.rows(members)


class OriginalStates:
    """Final hidden states of the original, for the models that are compared with it later.

    The original is scored first; its states of the same texts then need no second forward. They
    are kept without its head, which comes with the original when it scores what a model said.
    """

    def __init__(self):
        self._texts: list[Sequence] = []
        self._store: HiddenStateStore | None = None

    def begin(self, sequences: list[Sequence]) -> None:
        """Keep states of these texts from now on, and those of no others."""
        self._texts, self._store = sequences, None

    def drop(self) -> None:
        """Free what is kept."""
        self.begin([])

    def agree(self) -> None:
        """Drop the states where a process has no room for its own; every process calls this."""
        if not all(together(lambda: bool(self._texts))):
            self.drop()

    def put(self, members: list[int], rows: Tensor, head: Head | None) -> None:
        """Keep the rows of a batch; without a known head they are logits, too many to keep."""
        if head is None or not self._texts:
            return
        sizes = {number: sum(s.answer) for number, s in enumerate(self._texts)}
        if self._store is None:
            try:
                self._store = HiddenStateStore(sizes, rows.shape[-1], rows.dtype)
            except UserError:  # no room for the file: the texts are forwarded again later
                return self.drop()
        for number, part in zip(members, rows.split([sizes[i] for i in members]), strict=True):
            self._store.put(number, part)

    def of(self, sequences: list[Sequence]) -> HiddenStateStore | None:
        """The states of these texts; None where others were kept, or none."""
        return self._store if self._texts == sequences else None


@torch.inference_mode()
def divergences(
    original: Any,
    sequences: list[Sequence],
    kept: KeptStates,
    *,
    states: HiddenStateStore | None = None,
    tokens_per_batch: int = 4096,
    shared: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[list[float]]:
    """KL(original || model) over the whole vocabulary at each answer token, in nats.

    Args:
        original: in evaluation mode.
        sequences: the texts whose rows `answer_tokens` kept.
        kept: these rows.
        states: the original's rows of the same texts, from `OriginalStates` under the same
            settings; None forwards the texts.
        tokens_per_batch: the value used for scoring.
        shared: the value used for scoring: each process has the rows of its own shard.
        progress: called with the number of sequences done.

    Raises:
        UserError: the vocabularies of the two models differ in size.
    """
    batches = list(batches_by_length([len(s.ids) for s in sequences], tokens_per_batch))

    def measure(members: list[int]) -> list[list[float]]:
        chosen = [sequences[i] for i in members]
        head = known_head(original, sequences)
        if states is None or head is None:
            rows, _ = answer_rows(original, chosen, head)
        else:
            rows = states.rows(members).to(original.device)
        kept_rows = kept.rows(members)
        parts = []
        for piece in pieces(rows, head):
            logits = logits_of(rows[piece], head)
            other = kept.logits(kept_rows[piece].to(rows.device))
            _require_same_width(other, logits)
            parts += read_rows(_kl, other, logits)
        return in_parts(torch.cat(parts), chosen)

    lockstep = in_lockstep(original)
    return by_batches(batches, measure, shared=shared, lockstep=lockstep, progress=progress)


def _kl(logits: Tensor, original: Tensor) -> tuple[Tensor]:
    """KL [n], summed as q (log q - log p): a difference of two large sums would lose a small KL."""
    log_q = original.log_softmax(-1)
    q = log_q.exp()
    gap = torch.where(q > 0, log_q - logits.log_softmax(-1), 0)  # q log q is 0 at q = 0
    return ((q * gap).sum(-1).clamp(min=0),)  # rounding can make a KL of 0 slightly negative


def _require_same_width(logits: Tensor, original: Tensor) -> None:
    if logits.shape[-1] != original.shape[-1]:
        what = f"has {original.shape[-1]} tokens in its vocabulary, the model {logits.shape[-1]}"
        hint = "give the model that this one was made from"
        raise UserError(Problem("the original", what, hint, "request"))
