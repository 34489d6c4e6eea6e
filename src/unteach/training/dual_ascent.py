"""The retain term's weight, where a method moves it from step to step (dual ascent, PDU)."""

from collections.abc import Callable

from unteach.methods import Method


class DualAscent:
    """The weight, and what the step's retain term was without it.

    The sums span all micro-batches and processes, so the weight is the same everywhere.

    Args:
        method: says how the weight moves.
        weight: at the start.
    """

    def __init__(self, method: Method, weight: float):
        self.weight, self.before, self._total = weight, 0.0, 0.0
        self._method = method
        self.moves = method.moves_weight()

    def see(self, share: float) -> None:
        """Take a micro-batch's share of the step's retain term, without the weight."""
        self._total += share

    def step(self, over_processes: Callable[[float], float]) -> None:
        """The step is over: move the weight."""
        if self.moves:
            self.weight = self._method.reweigh(
                self.weight, over_processes(self._total), self.before
            )
        self._total = 0.0
