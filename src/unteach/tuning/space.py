"""Derive what a search may vary from the methods' own options, bounds and defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from unteach.methods import METHODS, Method

SPREAD = 10.0  # from a tenth of a default to ten times that
RATE, WEIGHT = "learning_rate", "retain_weight"  # both as factors of the method's own
RANKS = (8, 16, 32)


class Trial(Protocol):
    """The part of Optuna's trial interface that chooses values."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Choose one of several values."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Choose a number from a range."""
        ...


@dataclass(frozen=True)
class Dimension:
    """Range of one number in the search space.

    Attributes:
        low: smallest value.
        high: largest value.
        default: the value that a run without search takes.
    """

    low: float
    high: float
    default: float


@dataclass(frozen=True)
class Choice:
    """One point of the space.

    Attributes:
        method: name of the method.
        options: the method's options that were chosen.
        rate: factor of the automatic learning rate; None where the request fixes the rate.
        weight: factor of the method's retain weight; None where it is not varied.
        adapter: "full" or "lora"; None is as the method has it.
        rank: of the adapters; None for the request's.
    """

    method: str
    options: dict[str, float]
    rate: float | None = None
    weight: float | None = None
    adapter: str | None = None
    rank: int | None = None


@dataclass(frozen=True)
class Space:
    """The search space.

    Attributes:
        methods: names of the methods that can run here.
        rate: whether the learning rate is varied.
        weight: whether the retain term's weight is varied, where the method has one.
        adapters: kinds that are tried; empty for each method's own.
        ranks: ranks of adapters that are tried; empty for the request's.
    """

    methods: tuple[str, ...]
    rate: bool = True
    weight: bool = True
    adapters: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()

    def ranges(self, name: str) -> dict[str, Dimension]:
        """Return the ranges of a method's numbers, by their names in the study."""
        cls = METHODS.get(name)
        found = {f"{name}.{RATE}": Dimension(1 / SPREAD, SPREAD, 1.0)} if self.rate else {}
        if self.weight and _weighs(cls):
            found[f"{name}.{WEIGHT}"] = Dimension(1 / SPREAD, SPREAD, 1.0)
        return found | {f"{name}.{option}": d for option, d in dimensions(cls).items()}

    def choose(self, trial: Trial) -> Choice:
        """Let a trial choose a method, then that method's numbers."""
        name = trial.suggest_categorical("method", list(self.methods))
        values = {
            key: trial.suggest_float(key, d.low, d.high, log=d.low > 0)
            for key, d in self.ranges(name).items()
        }
        adapter = rank = None
        if self.adapters:
            adapter = trial.suggest_categorical("adapter", list(self.adapters))
        kind = adapter or METHODS.get(name).plan.adapter
        if self.ranks and kind == "lora":
            rank = trial.suggest_categorical("rank", list(self.ranks))
        return choice_of(name, values, adapter, rank)

    def default(self, name: str) -> dict[str, Any]:
        """Return the point at which a method is as a run without search has it."""
        point = {"method": name} | {key: d.default for key, d in self.ranges(name).items()}
        plain = METHODS.get(name).plan.adapter
        if self.adapters:
            point["adapter"] = plain if plain in self.adapters else self.adapters[0]
        return point


def choice_of(
    name: str, values: Mapping[str, float], adapter: str | None = None, rank: int | None = None
) -> Choice:
    """Return the choice that the values of a study stand for."""
    short = {key.partition(".")[2]: float(f"{value:.3g}") for key, value in values.items()}
    rate, weight = short.pop(RATE, None), short.pop(WEIGHT, None)
    return Choice(name, short, rate, weight, adapter, rank)


def dimensions(cls: type[Method]) -> dict[str, Dimension]:
    """Return the ranges of a method's options that are tried.

    An option says its range itself (`option(..., tried=(low, high))`, or () for none). Without
    that, a number with a fraction is tried from a tenth of its default to ten times that. Texts,
    switches, whole numbers and numbers that are 0 stay as they are.

    Example:
        >>> dimensions(METHODS.get("npo"))
        {'beta': Dimension(low=0.01, high=1.0, default=0.1)}
    """
    found = {}
    for field in fields(cls):  # type: ignore[arg-type]
        default, tried = field.default, field.metadata.get("tried")
        if tried == () or isinstance(default, bool) or not isinstance(default, float):
            continue
        if tried:
            found[field.name] = Dimension(float(tried[0]), float(tried[1]), default)
        elif default > 0:
            low = max(default / SPREAD, field.metadata.get("low") or 0.0)
            found[field.name] = Dimension(low, default * SPREAD, default)
    return found


def _weighs(cls: type[Method]) -> bool:
    """Whether a method has a retain term of a fixed weight."""
    plan = cls.plan
    fixed = plan.retain != "none" and plan.retain_weight > 0 and not cls.moves_weight()
    return fixed and cls.trains_on == "forget"
