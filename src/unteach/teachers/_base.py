"""Define teachers: sequences that a model scores, and changes to its distributions there."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp
from typing import Any, ClassVar, TypeVar

from unteach.registry import Registry, import_all
from unteach.types import Sequence

TokenLogps = list[list[float]]
"""For each sequence, the log-probability of each answer token, in nats."""


class Unavailable(Exception):
    """A source has no teacher for these data; the message says why.

    Attributes:
        hint: what the user can do; empty if the general hint applies.
    """

    def __init__(self, what: str, hint: str = ""):
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True, kw_only=True)
class TeacherInputs:
    """Inputs of a teacher source.

    Attributes:
        forget: the forget sequences.
        retain: the retain sequences; may be empty.
        holdout: texts that the model never saw, for the level of such texts; may be empty.
        tokenizer: of the model.
        logps: returns log-probabilities of answer tokens under the original model.
        base_logps: the same under the model before fine-tuning; None if there is none.
        seed: of all random draws.
        tolerance: a teacher whose AUC against the holdout is further than this from one half is
            set to the holdout's level.
    """

    forget: list[Sequence]
    retain: list[Sequence]
    holdout: list[Sequence]
    tokenizer: Any
    logps: Callable[[list[Sequence]], TokenLogps]
    base_logps: Callable[[list[Sequence]], TokenLogps] | None = None
    seed: int = 0
    tolerance: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Target distributions of a model that never saw the forget answers.

    The teacher's distribution at an answer token is that of the source's model at the same answer
    token of `sequences`, with the probabilities of `pairs` exchanged, and with the answer token set
    to its log-probability in `targets` if `set_level` is true. With `others` it is the mean over
    all draws.

    Attributes:
        source: name of the source.
        sequences: inputs of the source's model; one per forget sequence, with as many tokens.
        pairs: per sequence, pairs of token ids whose probabilities are exchanged.
        targets: log-probability of each answer token under the teacher, in nats.
        set_level: per sequence, whether `targets` replace the log-probabilities of the answer
            tokens under the source's model.
        facts: numbers for the report.
        names: per sequence, the words of names and their replacements; shown on the terminal only.
        others: further draws, with their own sequences and pairs.
    """

    source: str
    sequences: list[Sequence]
    pairs: list[tuple[tuple[int, int], ...]]
    targets: TokenLogps
    set_level: list[bool]
    facts: dict[str, Any] = field(default_factory=dict)
    names: list[tuple[tuple[str, str], ...]] = field(default_factory=list, repr=False)
    others: tuple["Teacher", ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        sizes = {len(self.sequences), len(self.pairs), len(self.targets), len(self.set_level)}
        if len(sizes) != 1:
            raise ValueError("a teacher has one sequence, and what goes with it, for each example")

    @property
    def draws(self) -> tuple["Teacher", ...]:
        """All teachers whose distributions are averaged, this one first."""
        return self, *self.others

    @property
    def probability(self) -> float:
        """Mean over the answers of their probability per token under the teacher."""
        each = [exp(sum(own) / max(len(own), 1)) for own in self.targets]
        return sum(each) / max(len(each), 1)


class TeacherSource(ABC):
    """A way to construct a teacher."""

    name: ClassVar[str]
    order: ClassVar[int]  # sources with a lower number are tried first

    @abstractmethod
    def find(self, inputs: TeacherInputs) -> Teacher:
        """Return the teacher. Raises Unavailable if the data do not allow it."""


TEACHERS: Registry[type[TeacherSource]] = Registry(
    "teacher", fill=lambda: import_all("unteach.teachers")
)
T = TypeVar("T", bound=type[TeacherSource])


def teacher_source(name: str) -> Callable[[T], T]:
    """Register a source under a name."""

    def register(cls: T) -> T:
        cls.name = name
        TEACHERS.add(name, cls)
        return cls

    return register


def find_teacher(name: str, inputs: TeacherInputs) -> Teacher:
    """Return the teacher of a source; "auto" tries all sources in order.

    Raises:
        Unavailable: no source has one; the message has the reason of each.
    """
    if name != "auto":
        return TEACHERS.get(name)().find(inputs)
    reasons = []
    for cls in sorted((TEACHERS.get(each) for each in TEACHERS), key=lambda cls: cls.order):
        try:
            return cls().find(inputs)
        except Unavailable as error:
            reasons.append(f"{cls.name}: {error}")
    raise Unavailable("; ".join(reasons))
