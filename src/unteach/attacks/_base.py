"""What an attack is: a citation, some options, and rows of one model under each of its variants."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from math import isfinite
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from unteach.errors import Problem, UserError
from unteach.files.rows import Groups
from unteach.registry import Registry, did_you_mean
from unteach.settings.messages import named, told
from unteach.types import Paper

if TYPE_CHECKING:
    from unteach.attacks._judge import RecoveryLine
    from unteach.attacks._subject import AttackSubject


def option(default: Any, help: str, *, low: float | None = None) -> Any:
    """An option with the sentence that explains it; a tuple is written with commas: `4,16,64`.

    Args:
        default: its value, and by its type what it may be.
        help: one sentence.
        low: the least value, of each of several.
    """
    return field(default=default, metadata={"help": help, "low": low})


@dataclass(frozen=True)
class AttackOutcome:
    """What one variant of an attack got from one model.

    Attributes:
        variant: its name, the same for every model.
        rows: of the model under attack, by group.
        facts: further numbers about this model.
    """

    variant: str
    rows: Groups
    facts: Mapping[str, float] = field(default_factory=dict)


class Attack(ABC):
    """The base of all attacks: frozen keyword-only dataclasses whose fields are their options.

    An attack maps a model to a model, or is another way to ask it: then it overrides `variants` and
    `attack`. Or it reads rows that are there: then it overrides `read`.

    Attributes:
        name: as on the command line.
        paper: where it comes from.
        keeps_utility: whether the model is left as it is, and is as useful as before.
        must_hold: whether a variant proves nothing where the original itself breaks under it.
        compares: whether its rows hold all that closeness reads.
        standard: whether it runs when the user names no attack.
    """

    name: ClassVar[str]
    paper: ClassVar[Paper]
    keeps_utility: ClassVar[bool] = False
    must_hold: ClassVar[bool] = False
    compares: ClassVar[bool] = True
    standard: ClassVar[bool] = True

    def missing(self, subject: "AttackSubject") -> list[Problem]:
        """What the data lack that some of its variants need; as notes, or as errors for all."""
        return []

    def variants(self, subject: "AttackSubject") -> list[str]:
        """The names of all its variants on these data."""
        return []

    def cost(self, subject: "AttackSubject") -> float:
        """About how often the plain questions' time it takes for one model."""
        return 0.0

    def attack(self, subject: "AttackSubject", wanted: list[str]) -> Iterator[AttackOutcome]:
        """What each wanted variant gets from one model; others may come too, and are not kept."""
        yield from ()

    def read(self, rows: Mapping[str, Groups]) -> list["RecoveryLine"]:
        """Lines of the table from the plain rows of each model, for an attack that asks nothing."""
        return []


class RowAttack(Attack):
    """An attack that asks nothing: it reads the plain rows."""

    @abstractmethod
    def read(self, rows: Mapping[str, Groups]) -> list["RecoveryLine"]:
        """See `Attack.read`."""


def _fill() -> None:
    package = import_module("unteach.attacks")
    for module in iter_modules(package.__path__):
        if not module.name.startswith("_") and module.name != "run":
            import_module(f"unteach.attacks.{module.name}")


ATTACKS: Registry[type[Attack]] = Registry("attack", fill=_fill)
A = TypeVar("A", bound=type[Attack])


def standard_attacks() -> tuple[str, ...]:
    """Return the names of the attacks that run when the user names none."""
    return tuple(name for name in ATTACKS if ATTACKS.get(name).standard)


CONTROL = "(control)"  # behind the name of a variant that only checks the attack itself


def registered(name: str) -> Callable[[A], A]:
    """Register an attack under a name. Raises TypeError when it has no paper or no docstring."""

    def register(cls: A) -> A:
        if not isinstance(cls.__dict__.get("paper"), Paper) or not cls.__doc__:
            raise TypeError(f"{cls.__name__} must say its `paper` and have a docstring")
        cls.name = name
        ATTACKS.add(name, cls)
        return cls

    return register


def attack_of(name: str, options: Mapping[str, str]) -> Attack:
    """The attack of that name with these options, as they are written on the command line.

    Raises:
        UserError: an unknown name, unknown options, bad values; all of them at once.

    Example:
        >>> attack_of("int4", {"groups": "32,64"}).groups
        (32, 64)
    """
    if name not in ATTACKS:
        hint = f"{did_you_mean(name, list(ATTACKS)).strip()} Known: {', '.join(ATTACKS)}".strip()
        raise UserError(
            Problem("--attack", f"{named(name, ATTACKS)} is no attack", hint, "request")
        )
    cls = ATTACKS.get(name)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    problems, given = [], {}
    for key, value in options.items():
        where = f"--set {name}.{key if key.isidentifier() else '...'}"
        if key not in known:
            listed = f"{name} knows: {', '.join(known)}" if known else f"{name} has no options"
            hint = f"{did_you_mean(key, list(known)).strip()} {listed}".strip()
            problems.append(Problem(where, "there is no such option", hint, "request"))
            continue
        given[key], wanted = _parsed(value, known[key])
        if wanted:
            problems.append(Problem(where, f"got {told(value)}", wanted, "request"))
    if problems:
        raise UserError(*problems)
    return cls(**given)


def _parsed(text: str, option: Any) -> tuple[Any, str]:
    """A value of the default's type, and what to give instead where it is none."""
    many = isinstance(option.default, tuple)
    kind = type(option.default[0] if many else option.default)
    parts = [part.strip() for part in text.split(",")] if many else [text.strip()]
    said = {int: "whole numbers" if many else "a whole number", float: "a number", str: "a text"}
    try:
        values = tuple(kind(part) for part in parts)
    except ValueError:
        return None, f"give {said[kind]}" + (" with commas between" if many else "")
    low = option.metadata["low"]
    if any(isinstance(v, float) and not isfinite(v) for v in values):
        return None, "give a finite number"
    if low is not None and any(value < low for value in values):
        return None, f"give at least {low:g}"
    choices = option.metadata.get("choices")
    if choices and any(value not in choices for value in values):
        return None, f"give some of {', '.join(choices)}"
    return (values if many else values[0]), ""
