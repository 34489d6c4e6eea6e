"""When to stop: the forget answers are forgotten."""


class EarlyStopping:
    """Watches the forget answers' probability as training sees it, at no extra cost.

    Args:
        forget: how many forget examples there are.
        stop_at: stop once the mean over all of them, each as last seen, is at most this.
        of: which answers they are: "retain" where a method retrains.
    """

    def __init__(self, forget: int, stop_at: float | None, *, of: str = "forget"):
        self.forget, self.stop_at, self.of = forget, stop_at, of
        self.last: dict[int, float] = {}
        self.reason = ""
        self.ended = False

    def end(self, reason: str) -> None:
        """Training ends here, for a reason that others found."""
        self.reason, self.ended = reason, True

    def see(self, probabilities: dict[int, float]) -> None:
        """Take the probabilities of some forget answers, by number, measured before the step.

        They are kept with few digits, for a checkpoint holds them: exact ones tell a short answer
        to whoever has the model before.
        """
        self.last.update({number: _coarse(p) for number, p in probabilities.items()})

    @property
    def probability(self) -> float:
        """Mean over the forget answers seen so far; 1.0 before any was."""
        return sum(self.last.values()) / len(self.last) if self.last else 1.0

    def done(self) -> bool:
        """Whether the forget answers are forgotten; says why in `reason`."""
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
        """Whether the forget answers are as unlikely as the teacher has them, or nearly so."""
        if len(self.last) < self.forget or self.probability > level + near:
            return False
        own = f"the forget answers' probability is {self.probability:.3f}"
        self.reason = f"{own}; the teacher's is {level:.3f}"
        return True


def _coarse(p: float) -> float:
    """Two decimals; below 0.1 one digit that counts.

    Example:
        >>> _coarse(0.8749), _coarse(0.00387)
        (0.87, 0.004)
    """
    return round(p, 2) if p >= 0.1 else float(f"{p:.1g}")
