"""Stop training when the forget answers are unlikely enough."""

CURVE = 40  # maximum number of points of the training curve
FEWEST = 8  # number of answers whose mean may be written


class EarlyStopping:
    """Tracks the forget answers' probabilities from the training batches, at no extra cost.

    Args:
        forget: number of forget examples.
        stop_at: stop when the mean of their latest probabilities is at most this.
        of: which answers they are: "retain" if a method retrains.

    Attributes:
        last: latest probability of each answer, by index.
        passes: mean probability of all answers, after each pass over them. Not kept for fewer than
            8 answers: their mean would reveal them as their own probabilities do.
        since: indexes of the answers seen since the last whole pass.
    """

    def __init__(self, forget: int, stop_at: float | None, *, of: str = "forget"):
        self.forget, self.stop_at, self.of = forget, stop_at, of
        self.last: dict[int, float] = {}
        self.passes: list[float] = []
        self.since: set[int] = set()
        self.reason = ""
        self.ended = False

    def end(self, reason: str) -> None:
        """End training for a reason that another safeguard found."""
        self.reason, self.ended = reason, True

    def see(self, probabilities: dict[int, float]) -> None:
        """Record probabilities of some forget answers, by index, measured before the step.

        They are rounded, as checkpoints store them: exact ones reveal a short answer to anybody who
        has the original model.
        """
        self.last.update({number: _coarse(p) for number, p in probabilities.items()})
        if self.forget < FEWEST:
            return
        self.since.update(probabilities)
        if len(self.since) >= self.forget:
            self.passes.append(_coarse(self.probability))
            self.since.clear()

    @property
    def curve(self) -> list[float]:
        """Values of `passes`, thinned to at most 40 points.

        Each answer counts as it was before the step that it was part of.
        """
        every = -(-len(self.passes) // CURVE) or 1
        return self.passes[::-1][::every][::-1]

    @property
    def probability(self) -> float:
        """Mean over the forget answers seen so far; 1.0 before the first."""
        return sum(self.last.values()) / len(self.last) if self.last else 1.0

    def done(self) -> bool:
        """Whether the forget answers are unlikely enough; sets `reason`."""
        if self.ended:
            return True
        if self.stop_at is None or len(self.last) < self.forget:
            return False
        if self.probability > self.stop_at:
            return False
        self.reason = (
            f"training saw the forget answers at a probability of {self.probability:.3f}, "
            f"at most train.stop_at = {self.stop_at:g}"
        )
        return True

    def reached(self, level: float, near: float) -> bool:
        """Whether the forget answers' probability is at most `near` above the teacher's level."""
        if len(self.last) < self.forget or self.probability > level + near:
            return False
        own = f"the forget answers' probability is {self.probability:.2g}"
        self.reason = f"{own}; the teacher's is {level:.2g}"
        return True


def _coarse(p: float) -> float:
    """Round to two decimals; below 0.1 to one significant digit.

    Example:
        >>> _coarse(0.8749), _coarse(0.00387)
        (0.87, 0.004)
    """
    return round(p, 2) if p >= 0.1 else float(f"{p:.1g}")
