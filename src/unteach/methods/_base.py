"""Define the base class of methods: options, a citation, and a pure function from rows to terms."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from unteach.errors import Problem, UserError, require
from unteach.methods._options import bounds
from unteach.methods._options import option as option
from unteach.registry import Registry, did_you_mean, import_all, strict
from unteach.selectors import SELECTORS, ReferenceOracle, Selection, selector_of
from unteach.settings.messages import OPTION, named
from unteach.teachers import Teacher, TeacherInputs
from unteach.types import Paper, Sequence

if TYPE_CHECKING:  # the methods' headers are read without torch
    from torch import Tensor

    from unteach.losses.answer_rows import AnswerRows, Term

ReadField = Literal[
    "reference_logits",
    "reference_logps",
    "selected",
    "alternate",
    "refusal",
    "position",
    "prompt",
    "hidden",
    "reference_hidden",
    "teacher_logits",
    "teacher_targets",
]
Alternates = Literal["none", "column", "refusals", "generated"]


@dataclass(frozen=True, kw_only=True)
class MethodDefaults:
    """A method's default training settings.

    Attributes:
        retain: name of the retain term.
        retain_weight: weight of the retain term.
        adapter: train all weights ("full") or low-rank adapters ("lora").
        init: initialisation of adapters.
        epochs: passes over the forget set.
        power: exponent by which the automatic learning rate grows for smaller models
            (`training.learning_rate`).
        rate_factor: factor of the automatic learning rate.
        rate_at_2048: rate of all weights at width 2048, where one was measured there.
        stop_at: stop when the forget answers' mean probability is this low; None for never.
        draw_back: with a holdout, interpolate a model that forgot too much back towards the
            original weights (`training.safeguards.draw_back`).
        rounds: how often the epochs are repeated at most; another round starts while the forget
            answers are likelier than under the teacher.
        adam_epsilon: Adam's epsilon; "auto" is `max_grad_norm / sqrt(trained weights)`, with which
            steps shrink with the gradient. None is torch's default.
    """

    retain: str = "nll"
    retain_weight: float = 1.0
    adapter: str = "full"
    init: str = "default"
    epochs: int = 10
    power: float = 2.0
    rate_factor: float = 1.0
    rate_at_2048: float | None = None
    stop_at: float | None = None
    draw_back: bool = True
    rounds: int = 1
    adam_epsilon: float | Literal["auto"] | None = None


TOFU_SETTINGS: dict[str, Any] = {
    "train.learning_rate": 1e-5,
    "train.epochs": 5,
    "train.batch_size": 4,
    "train.gradient_accumulation_steps": 8,
    "train.warmup_ratio": 0.2,  # one epoch
    "train.weight_decay": 0.01,
}
"""What TOFU's authors (arXiv 2401.06121) trained their baselines with."""


class Method(ABC):
    """Base class of all methods. Methods cannot be subclassed: call their loss functions instead.

    A subclass is a frozen keyword-only dataclass registered with `@method("name")`; its fields are
    its options. It defines its `paper`, what it `reads` beside the policy's own rows, and its
    default settings, `plan`.
    """

    name: ClassVar[str]
    paper: ClassVar[Paper]
    reads: ClassVar[frozenset[ReadField]] = frozenset()
    plan: ClassVar[MethodDefaults] = MethodDefaults()
    paper_settings: ClassVar[dict[str, Any]] = {}
    """What the authors trained with, as settings of a request; `--preset paper` takes them."""
    label: ClassVar[str] = ""  # name in reports, if the plain name would claim too much
    alternates: ClassVar[Alternates] = "none"  # source of the answers that replace the old ones
    trains_on: ClassVar[Literal["forget", "retain"]] = "forget"
    """Answers passed to `forget`; with "retain" training starts from the base model."""

    def __post_init__(self) -> None:
        """Refuse options out of their bounds, and a selector that is not installed.

        Raises:
            UserError: all options that are refused.
        """
        problems = [p for f in fields(self) for p in bounds(self.name, f, getattr(self, f.name))]  # type: ignore[arg-type]
        require(*problems)
        if selector := self.choosing():
            selector_of(selector, asdict(self))  # type: ignore[call-overload]

    @abstractmethod
    def forget(self, rows: "AnswerRows") -> list["Term"]:
        """Return the loss terms on the forget answers, from their rows alone."""

    @classmethod
    def defaults_for(cls, *, retain: bool, holdout: bool) -> dict[str, Any]:
        """Return options whose default depends on the data.

        Args:
            retain: whether there is a retain term.
            holdout: whether there is a holdout.
        """
        return {}

    def title(self) -> str:
        """Return the method's name in reports, with these options."""
        return self.label or self.name

    def needs(self) -> frozenset[str]:
        """Return the fields that `forget` reads; `reads`, unless an option adds some."""
        return self.reads

    def holds(self) -> bool:
        """Whether `forget` also returns terms that preserve, whose name is not "forget"."""
        return False

    def conflict(self) -> str:
        """Return how the forget gradient and the gradient of all other terms are combined.

        "sum" adds them; "conflict" removes the forget gradient's component along the other if the
        two point in opposite directions, "always" removes it in any case.
        """
        return "sum"

    def trainable(self, name: str, layers: int) -> bool:
        """Whether the parameter of that name is trained, in a model with that many layers."""
        return True

    def layer(self, layers: int) -> int:
        """Return the layer of `rows.hidden`, from 0; layer 7 of 32, or at the same depth."""
        return max(round(layers * 7 / 32), 0)

    def reweigh(self, weight: float, retain: float, before: float) -> float:
        """Return the retain term's weight for the next step.

        Args:
            weight: the current weight.
            retain: the term's mean over the step, without its weight.
            before: the same under the original model, over the whole retain set.
        """
        return weight

    @classmethod
    def moves_weight(cls) -> bool:
        """Whether the method overrides `reweigh`."""
        return cls.reweigh is not Method.reweigh

    def finish(self, start: "Tensor", end: "Tensor") -> "Tensor":
        """Return the final value of a weight that was `start` before training and `end` after."""
        return end

    @property
    def nothing(self) -> str:
        """Hint for the user if no token is selected in any answer."""
        selector = self.choosing()
        return SELECTORS.get(selector).nothing if selector else ""

    def choosing(self) -> str | None:
        """Return the selector that an option names (`option(..., selectors=True)`), or None."""
        named = (getattr(self, f.name) for f in fields(self) if f.metadata.get("selectors"))  # type: ignore[arg-type]
        return next((name for name in named if name in SELECTORS), None)

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the selection of each sequence for `rows.selected`; called before training.

        It is that of the selector that an option names, and all answer tokens without one.
        """
        if selector := self.choosing():
            yield from selector_of(selector, asdict(self)).choose(sequences, oracle, seed)  # type: ignore[call-overload]
            return
        for sequence in sequences:
            yield Selection(frozenset(i for i, answer in enumerate(sequence.answer) if answer))

    def teach(self, inputs: TeacherInputs) -> Teacher:
        """Return the teacher whose rows `forget` reads; called before training.

        Raises:
            teachers.Unavailable: the data allow none.
        """
        raise NotImplementedError(f"{self.name} reads a teacher, and has no `teach`")

    def reads_teacher(self) -> bool:
        """Whether `forget` reads a teacher's distributions, or the answer tokens' alone."""
        return bool(self.needs() & {"teacher_logits", "teacher_targets"})

    def training_defaults(self) -> MethodDefaults:
        """Return `plan` with what these options change.

        With rounds, a teacher's level ends the run in place of `stop_at`, and steps shrink with the
        gradient: Adam's full steps at the level damage what should stay, at three times the rate.
        Without a teacher there are no rounds.
        """
        if self.reads_teacher() and self.plan.rounds > 1:
            return replace(self.plan, stop_at=None, adam_epsilon="auto")
        return replace(self.plan, rounds=1)

    def asks_base(self) -> bool:
        """Whether the model before fine-tuning may be the teacher."""
        return False

    def made_up_retain(self, inputs: TeacherInputs) -> list[Sequence]:
        """Return sequences for a KL to the original model, if there are no retain data."""
        return []


def unbound(name: str) -> Problem:
    """Return the problem of a method that needs a retain term, if there is none.

    Example:
        >>> unbound("pdu").kind
        'request'
    """
    what = f"{name} forgets under a bound on the retain loss, and there is no retain term"
    return Problem("--retain", what, "give --retain a file, and drop train.retain=none", "request")


METHODS: Registry[type[Method]] = Registry("method", fill=lambda: _import_all())
M = TypeVar("M", bound=type[Method])


def method(name: str) -> Callable[[M], M]:
    """Register a method under a name.

    Raises:
        TypeError: it has no paper or docstring, or subclasses another method.
    """

    def register(cls: M) -> M:
        if not isinstance(cls.__dict__.get("paper"), Paper) or not cls.__doc__:
            raise TypeError(f"{cls.__name__} must say its `paper` and have a docstring")
        if cls.__bases__ != (Method,):
            raise TypeError(f"{cls.__name__}: methods are final. Call the other's loss function")
        cls.name = name
        METHODS.add(name, strict(cls))
        return cls

    return register


def made(methods: Registry[type[Method]], name: str, options: dict[str, Any]) -> Method:
    """Return the method of that name with these options, from a registry.

    Raises:
        UserError: an unknown name, unknown options (with the nearest known one), bad values.
    """
    if name not in methods:
        hint = f"{did_you_mean(name, list(methods)).strip()} Known: {', '.join(methods)}".strip()
        raise UserError(
            Problem("method", f"{named(name, methods)} is not a method", hint, "request")
        )
    cls = methods.get(name)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    problems = _no_options(name, [key for key in options if key not in known], known)
    try:
        method = cls(**{key: value for key, value in options.items() if key in known})
    except UserError as error:
        if not problems:
            raise  # keeps the traceback, which shows whether a plug-in raised it
        raise UserError(*problems, *error.problems) from None
    require(*problems)
    return method


def _no_options(name: str, keys: list[str], known: list[str]) -> list[Problem]:
    """Return problems of unknown option names; names that may be data are only counted."""
    listed = f"{name} knows: {', '.join(known)}" if known else f"{name} has no options"
    plain = [key for key in keys if OPTION.fullmatch(key)]
    problems = [
        Problem(
            f"method.{key}",
            f"{name} has no such option",
            f"{did_you_mean(key, known)} {listed}".strip(),
            "request",
        )
        for key in plain
    ]
    if hidden := len(keys) - len(plain):
        what = f"holds {hidden} {'name' if hidden == 1 else 'names'} (not shown) of no option"
        problems.append(Problem("method", what, listed, "request"))
    return problems


@cache
def _import_all() -> None:
    import_all("unteach.methods")
    import_module("unteach.methods._plugins").load_installed()
