"""Define the base class of selectors, which select tokens of the forget answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from random import Random
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

from unteach.errors import Problem, require
from unteach.registry import Registry, did_you_mean, import_all
from unteach.types import Sequence


@runtime_checkable
class ReferenceOracle(Protocol):
    """Interface to scores of the reference model for selectors."""

    tokens: list[int]
    """The vocabulary without special tokens."""

    def nll(self, texts: list[tuple[int, ...]], start: int) -> list[float]:
        """Return each text's mean NLL in nats over the tokens from position `start` on."""
        ...

    def logps(self, texts: list[tuple[int, ...]]) -> list[list[float]]:
        """Return the log-probability in nats of each token given those before; 0 for the first."""
        ...


class Selection(NamedTuple):
    """Selected and ignored positions of a sequence; all other answer tokens are unselected."""

    chosen: frozenset[int]
    ignored: frozenset[int] = frozenset()


class Selector(ABC):
    """Base class of selectors: frozen keyword-only dataclasses whose fields are their options.

    The selection depends on the set of sequences, the model and the seed, but not on their order.
    """

    name: ClassVar[str]
    asks_model: ClassVar[bool] = False  # whether it needs the oracle
    nothing: ClassVar[str] = ""  # hint for the user if no token is selected in any answer

    @abstractmethod
    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield one selection per sequence, in their order."""


SELECTORS: Registry[type[Selector]] = Registry(
    "selector", fill=lambda: import_all("unteach.selectors")
)
S = TypeVar("S", bound=type[Selector])


def selector(name: str) -> Callable[[S], S]:
    """Register a selector under a name."""

    def register(cls: S) -> S:
        cls.name = name
        SELECTORS.add(name, cls)
        return cls

    return register


def selector_of(name: str, options: Mapping[str, Any]) -> Selector:
    """Return the selector of that name with its options.

    Args:
        name: the name of a registered selector.
        options: options of a method; those that the selector does not have are ignored. Its
            `selector_options` are for the selector alone: they override the others.

    Raises:
        UserError: unknown `selector_options`, or a package that it needs is not installed.
    """
    own = options.get("selector_options") or {}
    cls = SELECTORS.get(name)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    listed = f"{name} knows: {', '.join(known)}" if known else f"{name} has no options"
    problems = [
        Problem(
            f"method.selector_options.{key}",
            f"the selector {name} has no such option",
            f"{did_you_mean(key, known)} {listed}".strip(),
            "request",
        )
        for key in own
        if key not in known
    ]
    require(*problems)
    given = {key: value for key, value in options.items() if key in known}
    return cls(**{**given, **own})


def highest(positions: list[int], scores: list[float], count: int) -> frozenset[int]:
    """Return the positions with the largest scores, at least one; ties go to the earlier position.

    Example:
        >>> sorted(highest([4, 5, 6], [0.1, 0.9, 0.9], 1))
        [5]
    """
    order = sorted(range(len(positions)), key=lambda k: (-scores[k], k))
    return frozenset(positions[k] for k in order[: max(count, 1)])


def random_of(sequence: Sequence, seed: int) -> Random:
    """Return a random generator for a sequence, independent of its place in the set."""
    return Random(f"{seed}/{sequence.id.partition('-')[2]}")
