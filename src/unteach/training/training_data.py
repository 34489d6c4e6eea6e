"""Hold the sequences that a training reads, by what each is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from unteach.types import Example, Sequence


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The sequences of one training.

    Attributes:
        forget: what to forget.
        retain: what to keep; may be empty.
        holdout: texts that the model never saw, for the target level of methods with a teacher,
            and for `train.stop_at` and `train.draw_back`.
        replay: what earlier requests removed, held where the model has it now.
        forms: by role, the examples with their questions in further wordings, trained on too.
            Levels and drawing back use the questions as they are.
        examples: the forget examples as the user wrote them, for methods with alternate answers.
    """

    forget: list[Sequence]
    retain: list[Sequence] = field(default_factory=list)
    holdout: list[Sequence] = field(default_factory=list)
    replay: list[Sequence] = field(default_factory=list)
    forms: Mapping[str, list[Sequence]] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    def shown(self, role: Literal["forget", "retain", "holdout"]) -> list[Sequence]:
        """The sequences of a role, and those in further wordings behind them."""
        return [*getattr(self, role), *self.forms.get(role, [])]
