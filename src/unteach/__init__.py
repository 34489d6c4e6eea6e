"""Take given training data out of a causal language model, and show what is left of it.

    >>> import unteach
    >>> unteach.NPO(beta=0.2)
    NPO(beta=0.2)

One call does all: `unteach.unlearn(model, forget, out=...)`, with files or with rows in memory.
The trainer, as `trl` users know it: `unteach.UnlearningTrainer` and `unteach.UnlearningConfig`; the
methods by class name: `unteach.Unilogit`, `unteach.NPO`, ...; the losses with no trainer at all:
`unteach.losses`; questions to models: `unteach.evaluate(unteach.Evaluation(...))`; attacks on them:
`unteach.attack(model=..., forget=...)`. Nothing heavy is imported before it is asked for; editors
and type checkers see all of it.
"""

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unteach import (
        attacks,
        data,
        evaluation,
        losses,
        methods,
        metrics,
        pipeline,
        report,
        suites,
    )
    from unteach.api import Result, unlearn
    from unteach.attacks._plan import AttackRequest
    from unteach.attacks.run import attack
    from unteach.benchmark.request import BenchRequest, bench_request
    from unteach.benchmark.run import bench
    from unteach.errors import UserError
    from unteach.evaluation.push import push
    from unteach.evaluation.request import Evaluation
    from unteach.evaluation.run import evaluate
    from unteach.methods._classes import *  # noqa: F403
    from unteach.settings.request import Request
    from unteach.training.config import UnlearningConfig
    from unteach.training.trainer import UnlearningTrainer
    from unteach.tuning.request import SearchRequest, search_request
    from unteach.tuning.run import search

    __version__: str

_PLACES = {
    "AttackRequest": "attacks._plan",
    "attack": "attacks.run",
    "BenchRequest": "benchmark.request",
    "bench": "benchmark.run",
    "bench_request": "benchmark.request",
    "Evaluation": "evaluation.request",
    "evaluate": "evaluation.run",
    "push": "evaluation.push",
    "UnlearningConfig": "training.config",
    "UnlearningTrainer": "training.trainer",
    "Request": "settings.request",
    "Result": "api",
    "SearchRequest": "tuning.request",
    "search": "tuning.run",
    "search_request": "tuning.request",
    "UserError": "errors",
    "unlearn": "api",
}
_FOLDERS = (
    "attacks", "data", "evaluation", "losses", "methods", "metrics", "pipeline", "report", "suites",
)  # fmt: skip

__all__ = [
    "AttackRequest",
    "BenchRequest",
    "Evaluation",
    "Request",
    "Result",
    "SearchRequest",
    "UnlearningConfig",
    "UnlearningTrainer",
    "UserError",
    "__version__",
    "attack",
    "attacks",
    "bench",
    "bench_request",
    "data",
    "evaluate",
    "evaluation",
    "losses",
    "methods",
    "metrics",
    "pipeline",
    "push",
    "report",
    "search",
    "search_request",
    "suites",
    "unlearn",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """What a user asks for, imported when asked."""
        if name == "__version__":
            from importlib.metadata import version

            return version("unteach")
        if name in _PLACES:
            return getattr(import_module(f"unteach.{_PLACES[name]}"), name)
        if name in _FOLDERS:
            return import_module(f"unteach.{name}")
        if name.startswith("__"):  # Python itself asks for some
            raise AttributeError(f"module 'unteach' has no attribute {name!r}")
        if name[:1].isupper():  # a method by its class name, of a plug-in too
            with suppress(AttributeError):
                return getattr(import_module("unteach.methods"), name)
        from unteach.registry import did_you_mean

        known = __dir__()
        hint = f"{did_you_mean(name, known)} Known: {', '.join(known)}"
        raise AttributeError(f"module 'unteach' has no attribute {name!r}.{hint}")


def __dir__() -> list[str]:
    """Every public name, the methods' classes among them; imports nothing heavy."""
    methods = import_module("unteach.methods")
    return sorted({*__all__, *methods.__dir__()} - {*methods.__all__})
