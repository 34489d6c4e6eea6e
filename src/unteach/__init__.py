"""Take given training data out of a causal language model, and show what is left of it.

    >>> import unteach
    >>> unteach.NPO(beta=0.2)
    NPO(beta=0.2)

The trainer, as `trl` users know it: `unteach.UnlearningTrainer` and `unteach.UnlearningConfig`; the
methods by class name: `unteach.Unilogit`, `unteach.NPO`, ...; the losses with no trainer at all:
`unteach.losses`; questions to models: `unteach.evaluate(unteach.Evaluation(...))`. Nothing heavy is
imported before it is asked for.
"""

from importlib import import_module
from typing import Any

_PLACES = {
    "Evaluation": "evaluation.asked",
    "evaluate": "evaluation.run",
    "UnlearningConfig": "engine.config",
    "UnlearningTrainer": "engine.trainer",
    "Request": "request",
    "UserError": "nouns",
}
_FOLDERS = ("data", "evaluation", "losses", "methods", "metrics", "pipeline", "report", "suites")


def __getattr__(name: str) -> Any:
    """What a user asks for, imported when asked."""
    if name == "__version__":
        from importlib.metadata import version

        return version("unteach")
    if name in _PLACES:
        return getattr(import_module(f"unteach.{_PLACES[name]}"), name)
    if name in _FOLDERS:
        return import_module(f"unteach.{name}")
    if name[:1].isupper():  # a method by its class name
        return getattr(import_module("unteach.methods"), name)
    raise AttributeError(f"module 'unteach' has no attribute {name!r}")
