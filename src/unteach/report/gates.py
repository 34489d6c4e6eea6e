"""Define the outcome of a gate that was declared before a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from unteach.types import Score

Outcome = Literal[
    "done", "still recognisable", "over-forgotten", "resurfaced", "others damaged", "cannot tell"
]  # the outcome of a run is the first one after "done" that any gate has
WORDS: dict[Outcome, str] = {
    "done": "every gate passed",
    "still recognisable": ("the forget answers differ from unseen texts, or some are still given"),
    "over-forgotten": "the forget answers are less likely than unseen texts",
    "resurfaced": "the model knows again what an earlier request removed",
    "others damaged": "the retain answers got worse, or are repetitive or noise",
    "cannot tell": "there are too few examples, or the difference may be chance",
}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate with its outcome.

    Attributes:
        name: name of its setting, `gates.NAME`.
        measure: what is measured, in words.
        low: least value that passes; None for no lower limit.
        high: largest value that passes; None for no upper limit.
        score: measured value with its interval.
        outcome: "done" if the gate passed.
        why: why the outcome is "cannot tell"; empty for other outcomes.
    """

    name: str
    measure: str
    low: int | float | None = None
    high: int | float | None = None
    score: Score
    outcome: Outcome
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the gate passed."""
        return self.outcome == "done"


def outcome_of(gates: Sequence[Gate]) -> Outcome:
    """Return the outcome of a run from its gates.

    Example:
        >>> outcome_of([])
        'done'
    """
    found = {gate.outcome for gate in gates}
    return next((one for one in get_args(Outcome)[1:] if one in found), "done")
