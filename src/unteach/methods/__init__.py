"""One file, one method; a file dropped in here joins by existing."""

from unteach.methods._base import (
    METHODS,
    Choice,
    Method,
    Plan,
    method,
    option,
    options_of,
    unbound,
)
from unteach.methods._plugins import build, forget_terms, load_plugin

__all__ = [
    "METHODS",
    "Choice",
    "Method",
    "Plan",
    "build",
    "forget_terms",
    "load_plugin",
    "method",
    "option",
    "options_of",
    "unbound",
]


def __getattr__(name: str) -> type[Method]:
    """`from unteach.methods import Unilogit`: any registered method by its class name."""
    for key in METHODS if not name.startswith("_") else ():
        if METHODS.get(key).__name__ == name:
            return METHODS.get(key)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
