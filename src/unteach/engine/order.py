"""Which examples stand in which step: a function of the seed alone."""

import torch
from torch.utils.data import Sampler

from unteach.engine.batch import Pair


class PairOrder(Sampler[Pair]):
    """Every forget example once an epoch, each with the next retain example.

    The retain walk goes on over epochs and starts a new permutation only when all retain examples
    were used, so each is seen equally often. Epoch e is the same on every process and after a
    resume: nothing is drawn from a global generator.
    """

    def __init__(self, forget: int, retain: int, *, seed: int):
        self.forget, self.retain, self.seed, self.epoch = forget, retain, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.forget

    def __iter__(self):
        order = permutation(self.forget, seed=self.seed, round=self.epoch, stream=0)
        walks: dict[int, list[int]] = {}
        for k, forget in enumerate(order):
            if not self.retain:
                yield Pair(forget, None)
                continue
            round, place = divmod(self.epoch * self.forget + k, self.retain)
            if round not in walks:
                walks[round] = permutation(self.retain, seed=self.seed, round=round, stream=1)
            yield Pair(forget, walks[round][place])


def permutation(n: int, *, seed: int, round: int, stream: int) -> list[int]:
    """A permutation of n numbers that depends on these three numbers only.

    Example:
        >>> permutation(4, seed=0, round=0, stream=0) == permutation(4, seed=0, round=0, stream=0)
        True
    """
    mixed = (seed * 1_000_003 + round) * 2 + stream
    return torch.randperm(n, generator=torch.Generator().manual_seed(mixed)).tolist()
