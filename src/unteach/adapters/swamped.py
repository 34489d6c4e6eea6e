"""Whether epsilon decides in place of the retain set's Fisher information (LoKU's weak point)."""

from collections.abc import Iterator
from statistics import median
from typing import Any

from torch import Tensor

from unteach.adapters.factors import EPSILON
from unteach.errors import Problem

MOST = 0.9  # of the weights; above that the importance is the forget set's alone, times 1 / epsilon


class Swamped:
    """How the retain set's Fisher information compares with epsilon.

    Args:
        epsilon: what is added to it.
        of_retain: by layer, [out, in].
    """

    def __init__(self, epsilon: float, of_retain: dict[str, Tensor]):
        self.epsilon = epsilon
        self.medians = {name: f.median().item() for name, f in of_retain.items()}
        below = sum(int((f < epsilon).sum()) for f in of_retain.values())
        self.share = below / max(sum(f.numel() for f in of_retain.values()), 1)

    def facts(self) -> dict[str, Any]:
        """The share below epsilon, and the layers' medians as parts of epsilon."""
        ratios = [m / self.epsilon for m in self.medians.values()]
        found = {"least": min(ratios), "median": median(ratios), "most": max(ratios)}
        return {
            "fila_epsilon": self.epsilon,
            "fila_retain_fisher_below_epsilon": round(self.share, 4),
            "fila_retain_fisher_per_epsilon": {k: float(f"{v:.2g}") for k, v in found.items()},
        }

    def notes(self) -> Iterator[Problem]:
        """One when epsilon swamps the rest."""
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
