"""Unlearning methods, one per file; each file in this folder is found automatically."""

from typing import TYPE_CHECKING

from unteach.methods._base import (
    METHODS,
    Method,
    MethodDefaults,
    Selection,
    method,
    unbound,
)
from unteach.methods._options import option, options_of
from unteach.methods._plugins import build, forget_terms, load_plugin

__all__ = [
    "METHODS",
    "Method",
    "MethodDefaults",
    "Selection",
    "build",
    "forget_terms",
    "load_plugin",
    "method",
    "option",
    "options_of",
    "unbound",
]


if TYPE_CHECKING:  # for editors; tests/test_public_names.py checks that it is complete
    from unteach.methods._classes import *  # noqa: F403
else:

    def __getattr__(name: str) -> type[Method]:
        """Return a registered method by class name: `from unteach.methods import Unilogit`."""
        classes = {METHODS.get(key).__name__: key for key in METHODS} if name[:1] != "_" else {}
        if name in classes:
            return METHODS.get(classes[name])
        from unteach.registry import did_you_mean

        known = [*classes, *__all__]
        hint = f"{did_you_mean(name, known)} Known: {', '.join(known)}" if classes else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")


def __dir__() -> list[str]:
    """Return every public name with the methods' classes, without importing their files."""
    from unteach.methods._headers import known

    methods = known()
    return sorted({*__all__, *(methods.get(name).__name__ for name in methods)})
