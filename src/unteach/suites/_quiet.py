"""Silence lm-evaluation-harness, report its progress, and restore the random generators."""

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch
from warnings import catch_warnings

Told = Callable[[str, int, int], None]

BARS = ("lm_eval.models.huggingface", "lm_eval.api.task", "lm_eval.api.model", "tqdm")
PRINTS = ("lm_eval.models.huggingface", "lm_eval.api.metrics")
# Both call other programs about the machine, which takes seconds and puts paths into the results.
LOOKS = ("get_git_commit_hash", "add_env_info")
LOGS = ("lm_eval", "datasets", "evaluate")


def silent(what: str, done: int, total: int) -> None:
    """Progress callback that does nothing."""


@contextmanager
def quiet(progress: Told) -> Iterator[None]:
    """Within the context, lm-evaluation-harness prints, logs and warns nothing.

    The harness also seeds all random generators and starts processes for bootstraps. The state of
    the generators is restored afterwards, and no process is started.

    Args:
        progress: called with stage, done and total.
    """
    with ExitStack() as stack, catch_warnings(action="ignore"):
        replaced = [(module, "tqdm", _bar(progress)) for module in BARS]
        replaced += [(module, "print", _nothing) for module in PRINTS]
        replaced += [("lm_eval.evaluator", name, _nothing) for name in LOOKS]
        for module, name, thing in replaced:
            stack.enter_context(patch.dict(vars(import_module(module)), {name: thing}))
        alone = {"DISABLE_MULTIPROC": os.environ.get("DISABLE_MULTIPROC", "1")}
        stack.enter_context(patch.dict(os.environ, alone))
        _logs_and_bars(stack)
        _restore_generators(stack)
        yield


def _nothing(*args: Any, **options: Any) -> None:
    """Replacement for functions that should do nothing."""


def _logs_and_bars(stack: ExitStack) -> None:
    from datasets.utils import logging as bars

    for name in LOGS:
        logger = logging.getLogger(name)
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)
    if bars.is_progress_bar_enabled():
        stack.callback(bars.enable_progress_bar)
        bars.disable_progress_bar()


def _restore_generators(stack: ExitStack) -> None:
    import numpy as np
    import torch

    stack.callback(random.setstate, random.getstate())
    stack.callback(np.random.set_state, np.random.get_state())
    stack.enter_context(torch.random.fork_rng())


def _bar(progress: Told) -> type:
    class Bar:
        """The part of tqdm that lm-evaluation-harness uses; reports progress at each percent."""

        def __init__(self, things: Any = (), *, total: int | None = None, desc: str = "", **rest):
            self.things, self.what = things, (desc or "preparing questions").lower()
            self.total = total or (len(things) if hasattr(things, "__len__") else 0)
            self.done = self.told = 0

        def __iter__(self) -> Iterator[Any]:
            for thing in self.things:
                yield thing
                self.update()

        def update(self, more: int = 1) -> None:
            """Add to the number done, and report it."""
            self.done += more
            if self.total and (self.done - self.told) * 100 >= self.total:
                self.told = self.done
                progress(self.what, self.done, self.total)

        def close(self) -> None:
            """Do nothing: there is no bar to close."""

    return Bar
