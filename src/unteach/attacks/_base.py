"""Define the base class of attacks: options, a citation, and rows of a model by variant."""

from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from math import isfinite
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from unteach.errors import Problem, UserError
from unteach.files.rows import Groups
from unteach.registry import Registry, did_you_mean, nearest
from unteach.settings.messages import named, told
from unteach.types import Paper

if TYPE_CHECKING:
    from unteach.attacks._judge import RecoveryLine
    from unteach.attacks._subject import AttackSubject


def option(default: Any, help: str, *, low: float | None = None) -> Any:
    """Declare an option of an attack, with its help text and bound.

    Args:
        default: the default value; its type is the option's type. A tuple is written with commas
            on the command line: `4,16,64`.
        help: one sentence for users.
        low: smallest allowed value; for a tuple, of each element.
    """
    return field(default=default, metadata={"help": help, "low": low})


@dataclass(frozen=True)
class AttackOutcome:
    """The result of one variant of an attack on one model.

    Attributes:
        variant: name of the variant, the same for every model.
        rows: rows of the model under attack, by group.
        facts: further numbers about this model.
    """

    variant: str
    rows: Groups
    facts: Mapping[str, float] = field(default_factory=dict)


class Attack(ABC):
    """Base class of attacks: frozen keyword-only dataclasses whose fields are their options.

    An attack that changes the model or queries it in another way overrides `variants` and `attack`.
    An attack that only reads the rows of the unchanged models overrides `read`.

    Attributes:
        name: name on the command line.
        paper: source of the attack.
        keeps_utility: whether the model is unchanged, so that its utility is too.
        must_hold: whether a variant is disregarded if it breaks the original model.
        compares: whether its rows have all fields that closeness reads.
        standard: whether it runs if the user names no attack.
    """

    name: ClassVar[str]
    paper: ClassVar[Paper]
    keeps_utility: ClassVar[bool] = False
    must_hold: ClassVar[bool] = False
    compares: ClassVar[bool] = True
    standard: ClassVar[bool] = True

    def missing(self, subject: "AttackSubject") -> list[Problem]:
        """Return what the data lack: notes if some variants need it, errors if all do."""
        return []

    def variants(self, subject: "AttackSubject") -> list[str]:
        """Return the names of the variants for these data."""
        return []

    def cost(self, subject: "AttackSubject") -> float:
        """Estimate the time for one model, as a multiple of the time without attack."""
        return 0.0

    def attack(self, subject: "AttackSubject", wanted: list[str]) -> Iterator[AttackOutcome]:
        """Yield the outcome of each wanted variant on one model; other variants are ignored."""
        yield from ()

    def read(self, rows: Mapping[str, Groups]) -> list["RecoveryLine"]:
        """Return table lines from the rows of each model without attack; none by default."""
        return []


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


CONTROL = "(control)"  # suffix of variants that only check the attack itself


def registered(name: str) -> Callable[[A], A]:
    """Register an attack under a name. Raises TypeError if it has no paper or docstring."""

    def register(cls: A) -> A:
        if not isinstance(cls.__dict__.get("paper"), Paper) or not cls.__doc__:
            raise TypeError(f"{cls.__name__} must say its `paper` and have a docstring")
        cls.name = name
        ATTACKS.add(name, cls)
        return cls

    return register


def attack_of(name: str, options: Mapping[str, str]) -> Attack:
    """Return the attack of that name with options as written on the command line.

    Raises:
        UserError: an unknown name, or all unknown options and bad values.

    Example:
        >>> attack_of("int4", {"groups": "32,64"}).groups
        (32, 64)
    """
    if name not in ATTACKS:
        what = f"{named(name, ATTACKS)} is no attack"
        raise UserError(Problem("--attack", what, nearest(name, ATTACKS), "request"))
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
    """Parse a value to the type of the default; return it, and what to give instead if invalid."""
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
