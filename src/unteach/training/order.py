"""Order forget, retain and replay examples into batches, as a function of the seed alone."""

from collections.abc import Iterator
from itertools import chain, pairwise

import torch
from torch.utils.data import Sampler

from unteach.rowengine.batch import Lengths, Pair

REPLAY_ROUNDS = 500_000  # far from the rounds of the other groups and of the next seed
FEWEST, MOST = 4, 50  # limits on the batches of one length-sorting window, a quarter of an epoch


class PairOrder(Sampler[Pair]):
    """Sampler that yields every forget example once per epoch, each with the next retain example.

    The order of retain examples continues over epochs. A new permutation starts only when all were
    used, so each is seen equally often. Replay examples go with the pairs in the same way. Epoch e
    is the same on every process and after a resume: no global random generator is used.

    With lengths, examples of similar length share a batch, which reduces padding. Within a window
    of some batches both groups are sorted by length and paired again in that order; then the
    batches are shuffled.

    Args:
        forget: number of forget examples.
        retain: number of retain examples.
        seed: of all permutations.
        lengths: token counts of the examples, or None.
        batch: pairs of one batch over all processes, which wait for the longest sequence.
        replay: number of replay examples.
        fill: spare pairs pad the number of pairs to a multiple of this. Otherwise accelerate would
            repeat the epoch's first examples.

    Example:
        >>> order = PairOrder(4, 4, seed=0, lengths=([9, 2, 9, 2], [3, 8, 8, 3]), batch=2)
        >>> sorted(sorted(p.forget for p in list(order)[k : k + 2]) for k in (0, 2))
        [[0, 2], [1, 3]]
    """

    def __init__(
        self,
        forget: int,
        retain: int,
        *,
        seed: int,
        lengths: Lengths | None = None,
        batch: int = 1,
        fill: int = 1,
        replay: int = 0,
    ):
        self.forget, self.retain, self.seed, self.epoch = forget, retain, seed, 0
        self.replay = replay
        self.lengths, self.batch, self.fill = lengths, batch, fill

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.forget // self.fill) * self.fill

    def __iter__(self) -> Iterator[Pair]:
        pairs = list(self._walk())
        pairs = pairs if self.lengths is None else self._alike(pairs, *self.lengths)
        spare = [pairs[0]._replace(spare=True)] * (len(self) - len(pairs))
        return iter([*pairs, *spare])

    def _walk(self) -> Iterator[Pair]:
        order = permutation(self.forget, seed=self.seed, round=self.epoch, stream=0)
        retain, replay = self._beside(self.retain, 0), self._beside(self.replay, REPLAY_ROUNDS)
        for forget, one, other in zip(order, retain, replay, strict=True):
            yield Pair(forget, one, replay=other)

    def _beside(self, count: int, first: int) -> Iterator[int | None]:
        """Yield the index in another group that goes with each forget example of this epoch."""
        walks: dict[int, list[int]] = {}
        for k in range(self.forget):
            if not count:
                yield None
                continue
            round, place = divmod(self.epoch * self.forget + k, count)
            if round not in walks:
                walks[round] = permutation(count, seed=self.seed, round=first + round, stream=1)
            yield walks[round][place]

    def _alike(self, pairs: list[Pair], forget: list[int], retain: list[int]) -> list[Pair]:
        whole = len(pairs) // self.batch
        window = self.batch * min(MOST, max(FEWEST, whole // 4))
        cuts = [*range(0, whole * self.batch, window), whole * self.batch, len(pairs)]
        paired = []
        for start, end in pairwise(cuts):
            f = sorted((p.forget for p in pairs[start:end]), key=forget.__getitem__)
            r = [p.retain for p in pairs[start:end] if p.retain is not None]
            r.sort(key=retain.__getitem__)
            both = zip(f, r or [None] * len(f), pairs[start:end], strict=True)
            paired += [Pair(one, other, replay=pair.replay) for one, other, pair in both]
        batches = [paired[k : k + self.batch] for k in range(0, len(paired), self.batch)]
        # The incomplete batch stays at the end. Negative rounds are not used by `_walk`.
        order = permutation(whole, seed=self.seed, round=~self.epoch, stream=0)
        return list(chain(*(batches[k] for k in order), *batches[whole:]))


def permutation(n: int, *, seed: int, round: int, stream: int) -> list[int]:
    """Return a permutation of range(n) that depends on seed, round and stream only.

    Example:
        >>> permutation(4, seed=0, round=0, stream=0) == permutation(4, seed=0, round=0, stream=0)
        True
    """
    mixed = (seed * 1_000_003 + round) * 2 + stream
    return torch.randperm(n, generator=torch.Generator().manual_seed(mixed)).tolist()


def drawn(order: PairOrder, epochs: int, most: int, group: str = "retain") -> set[int]:
    """Return indices of the retain or replay examples that the first epochs use.

    Args:
        order: its epoch is changed.
        epochs: number of epochs.
        most: number of such examples; the search ends when all are found.
        group: "retain" or "replay".
    """
    indices: set[int] = set()
    for epoch in range(epochs):
        order.set_epoch(epoch)
        indices |= {i for pair in order if (i := getattr(pair, group)) is not None}
        if len(indices) == most:
            break
    return indices
