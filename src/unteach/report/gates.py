"""What came of a gate that was declared before a run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from unteach.types import Score

Outcome = Literal[
    "done", "still recognisable", "over-forgotten", "resurfaced", "others damaged", "cannot tell"
]  # the worst of a run is the first after "done" that any gate has
WORDS: dict[Outcome, str] = {
    "done": "every gate is passed",
    "still recognisable": (
        "the forget answers stand out from texts never seen, or some are still given"
    ),
    "over-forgotten": "the forget answers are less likely than texts never seen",
    "resurfaced": "what an earlier request removed is known again",
    "others damaged": "what should stay was harmed, or is answered in circles or noise",
    "cannot tell": "there are too few examples, or chance alone may have done it",
}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate after the run.

    Attributes:
        name: the setting that declares it, `gates.NAME`.
        measure: what was measured, in words.
        low: the least that passes; None where none is too little.
        high: the most that passes; None where none is too much.
        score: the number with its interval.
        outcome: "done" where it is passed.
        why: why it cannot be told; nothing elsewhere.
    """

    name: str
    measure: str
    low: float | None = None
    high: float | None = None
    score: Score
    outcome: Outcome
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is."""
        return self.outcome == "done"


def outcome_of(gates: Sequence[Gate]) -> Outcome:
    """What came of a run by its gates.

    Example:
        >>> outcome_of([])
        'done'
    """
    found = {gate.outcome for gate in gates}
    return next((one for one in get_args(Outcome)[1:] if one in found), "done")


def written_gates(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """For scores.json."""
    return [asdict(gate) for gate in gates]


def read_gates(records: Sequence[Mapping[str, Any]]) -> tuple[Gate, ...]:
    """What `written_gates` wrote. Raises TypeError for what is none."""
    return tuple(Gate(**{**record, "score": Score(**record["score"])}) for record in records)
