"""Update the retain term's weight from step to step (dual ascent, PDU)."""

from collections.abc import Callable

from unteach.methods import Method


class DualAscent:
    """Holds the retain term's weight and accumulates the step's unweighted retain term.

    The sums span all micro-batches and processes, so the weight is the same on every process.

    Args:
        method: its `reweigh` updates the weight.
        weight: the initial weight.
    """

    def __init__(self, method: Method, weight: float):
        self.weight, self.before, self._total = weight, 0.0, 0.0
        self._method = method
        self.moves = method.moves_weight()

    def see(self, share: float) -> None:
        """Add a micro-batch's part of the step's retain term, without the weight."""
        self._total += share

    def step(self, over_processes: Callable[[float], float]) -> None:
        """Update the weight at the end of a step."""
        if self.moves:
            self.weight = self._method.reweigh(
                self.weight, over_processes(self._total), self.before
            )
        self._total = 0.0
