"""Check whether FILA's epsilon is so large that the retain set's Fisher information is ignored."""

from collections.abc import Iterator
from statistics import median
from typing import Any

from torch import Tensor

from unteach.adapters.factors import EPSILON
from unteach.errors import Problem

MOST = 0.9  # share of the weights; above it, importance depends on the forget set alone


class Swamped:
    """Compares the retain set's Fisher information with epsilon.

    Args:
        epsilon: the constant added to it.
        of_retain: the Fisher information by layer, [out, in].
    """

    def __init__(self, epsilon: float, of_retain: dict[str, Tensor]):
        self.epsilon = epsilon
        self.medians = {name: f.median().item() for name, f in of_retain.items()}
        below = sum(int((f < epsilon).sum()) for f in of_retain.values())
        self.share = below / max(sum(f.numel() for f in of_retain.values()), 1)

    def facts(self) -> dict[str, Any]:
        """Return the share of values below epsilon, and the layers' medians relative to epsilon."""
        ratios = [m / self.epsilon for m in self.medians.values()]
        summary = {"least": min(ratios), "median": median(ratios), "most": max(ratios)}
        return {
            "fila_epsilon": self.epsilon,
            "fila_retain_fisher_below_epsilon": round(self.share, 4),
            "fila_retain_fisher_per_epsilon": {k: float(f"{v:.2g}") for k, v in summary.items()},
        }

    def notes(self) -> Iterator[Problem]:
        """Yield a note if epsilon is above nearly all of the Fisher information."""
        if self.share <= MOST:
            return
        middle = median(self.medians.values())
        what = (
            f"{self.epsilon:g} is above the retain set's Fisher information of {self.share:.1%} of "
            f"the weights (median {middle:.1g}), so importance is nearly the forget set's alone"
        )
        hint = "lower it until the retain set counts"
        if middle:
            hint = f"adapter.epsilon={middle:.0e} makes it relative; the authors have {EPSILON:g}"
        yield Problem("adapter.epsilon", what, hint, "note")
