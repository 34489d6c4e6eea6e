"""Names and the things they stand for; each name is taken once."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

T = TypeVar("T")


def did_you_mean(name: str, known: list[str], cutoff: float = 0.5) -> str:
    """` Did you mean "x"?` when something close is known, else nothing.

    Example:
        >>> did_you_mean("nppo", ["npo", "dto"])
        ' Did you mean "npo"?'
    """
    close = get_close_matches(name, known, n=1, cutoff=cutoff)
    return f' Did you mean "{close[0]}"?' if close else ""


@cache
def import_all(package: str) -> None:
    """Import every module of a package, so that all that they register is there; once."""
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")


class Registry(Generic[T]):
    """A dictionary of one kind of thing that refuses doubles and explains unknown names.

    Example:
        >>> colours = Registry("colour")
        >>> colours.add("red", "#f00")
        >>> colours.get("rad")
        Traceback (most recent call last):
        KeyError: 'unknown colour "rad". Did you mean "red"? Known: red'
    """

    def __init__(self, kind: str, fill: Callable[[], None] = lambda: None):
        self.kind = kind
        self._fill = fill
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> None:
        """Take a name. Raises ValueError when it is taken."""
        if name in self._things:
            raise ValueError(f'{self.kind} "{name}" is registered twice')
        self._things[name] = thing

    def get(self, name: str) -> T:
        """Look a name up. Raises KeyError with the nearest known name."""
        known = list(self)
        if name not in self._things:
            hint = did_you_mean(name, known)
            raise KeyError(f'unknown {self.kind} "{name}".{hint} Known: {", ".join(known)}')
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return iter(sorted(self._things))

    def __contains__(self, name: object) -> bool:
        return name in list(self)
