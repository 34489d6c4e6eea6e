"""Register classes and functions by name, and suggest the nearest name for an unknown one."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import cache, wraps
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

T = TypeVar("T")
C = TypeVar("C", bound=type)


def did_you_mean(name: str, known: list[str], cutoff: float = 0.5) -> str:
    """Return ` Did you mean "x"?` when a known name is close, else an empty string.

    Example:
        >>> did_you_mean("nppo", ["npo", "dto"])
        ' Did you mean "npo"?'
    """
    close = get_close_matches(name, known, n=1, cutoff=cutoff)
    return f' Did you mean "{close[0]}"?' if close else ""


def nearest(name: str, known: Iterable[str], said: str = "Known") -> str:
    """Return a hint for an unknown name: the nearest known one, if any is close, and all of them.

    Example:
        >>> nearest("nppo", ["npo", "dto"])
        'Did you mean "npo"? Known: npo, dto'
    """
    names = list(known)
    return f"{did_you_mean(name, names)} {said}: {', '.join(names)}".strip()


def strict(cls: C, *, also: Callable[..., Any] | None = None) -> C:
    """Make a class name its arguments in the TypeError for an unknown argument.

    Args:
        cls: the class; it is changed in place.
        also: a callable whose arguments are accepted too; the error names one of them only as the
            suggestion.

    Example:
        >>> class Dot:
        ...     def __init__(self, *, size=1): ...
        >>> strict(Dot)(siez=2)
        Traceback (most recent call last):
        TypeError: Dot takes no argument "siez". Did you mean "size"? Known: size
    """
    init: Any = cls.__init__  # type: ignore[misc]
    taken = signature(init).parameters.values()
    parameters = [p.name for p in taken if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)][1:]
    other = [name for name in signature(also).parameters if name not in parameters] if also else []

    @wraps(init)
    def checked(self: Any, *args: Any, **given: Any) -> None:
        for name in given:
            if name not in parameters + other:
                listed = ", ".join(parameters) or "none"
                more = f"; and what {also.__module__.split('.')[0]} takes" if also else ""
                hint = f"{did_you_mean(name, parameters + other)} Known: {listed}{more}"
                raise TypeError(f'{cls.__name__} takes no argument "{name}".{hint}')
        init(self, *args, **given)

    cls.__init__ = checked  # type: ignore[misc]
    return cls


@cache
def import_all(package: str) -> None:
    """Import every module of a package once, so that all of them register their contents."""
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")


class Registry(Generic[T]):
    """A dictionary that refuses duplicate names and suggests a name for an unknown one.

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
        """Register a name. Raises ValueError when it is registered already."""
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
