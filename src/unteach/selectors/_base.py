"""What a selector is: from the forget answers to the tokens that matter in each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from random import Random
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

from unteach.registry import Registry, import_all
from unteach.types import Sequence


@runtime_checkable
class ReferenceOracle(Protocol):
    """The model before, as far as the choice of tokens may ask it."""

    tokens: list[int]
    """The vocabulary without special tokens."""

    def nll(self, texts: list[tuple[int, ...]], start: int) -> list[float]:
        """Mean NLL in nats of the tokens from position `start` on, one per text."""
        ...

    def logps(self, texts: list[tuple[int, ...]]) -> list[list[float]]:
        """Log-probability in nats of every token given those before it; 0 for the first."""
        ...


class Selection(NamedTuple):
    """Positions of a sequence that a method singles out; all other answer tokens are "others"."""

    chosen: frozenset[int]
    ignored: frozenset[int] = frozenset()


class Selector(ABC):
    """The base of all selectors: frozen keyword-only dataclasses whose fields are their options.

    What is chosen depends on the set of sequences, the model and the seed, and on no order.
    """

    name: ClassVar[str]
    asks_model: ClassVar[bool] = False  # whether it needs the oracle
    nothing: ClassVar[str] = ""  # what to do when it finds no token in any answer

    @abstractmethod
    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """One choice per sequence, in their order, as soon as it is known."""


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
    """The selector of that name, with those of the options that it knows.

    Raises:
        UserError: what it needs is not installed.
    """
    cls = SELECTORS.get(name)
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    return cls(**{key: value for key, value in options.items() if key in known})


def highest(positions: list[int], scores: list[float], count: int) -> frozenset[int]:
    """The positions with the largest scores, at least one; ties go to the earlier position.

    Example:
        >>> sorted(highest([4, 5, 6], [0.1, 0.9, 0.9], 1))
        [5]
    """
    order = sorted(range(len(positions)), key=lambda k: (-scores[k], k))
    return frozenset(positions[k] for k in order[: max(count, 1)])


def random_of(sequence: Sequence, seed: int) -> Random:
    """Random numbers of one sequence, wherever in the set it stands."""
    return Random(f"{seed}/{sequence.id.partition('-')[2]}")
