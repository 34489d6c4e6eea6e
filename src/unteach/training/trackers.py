"""Give experiment trackers names that say what a number is, and TensorBoard a folder that stays."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    TensorBoardCallback,
)

from unteach.errors import Problem, UserError

TERMS = ("forget", "hold", "retain")
RUNS = "runs"  # beside the result, which may be moved


def rename_terms(logs: dict[str, Any]) -> dict[str, Any]:
    """Rename the loss terms; transformers' trackers put `train/` in front of every name.

    Example:
        >>> rename_terms({"loss": 1.5, "forget": 1.0, "retain": 0.5, "forget_probability": 0.9})
        {'loss': 1.5, 'forget_loss': 1.0, 'retain_loss': 0.5, 'forget_probability': 0.9}
    """
    return {f"{name}_loss" if name in TERMS else name: value for name, value in logs.items()}


def name_terms(callbacks: Iterable[TrainerCallback]) -> None:
    """Make the trackers among the callbacks log the terms as `forget_loss` and so on.

    One that cannot start, for example because its server is not there, raises a UserError then.
    """
    names = {kind: name for name, kind in INTEGRATION_TO_CALLBACK.items()}
    for callback in callbacks:
        log = callback.on_log
        if isinstance(callback, tuple(names)) and not isinstance(log, partial):
            callback.on_log = partial(_log, log)
            name = names.get(type(callback), type(callback).__name__)
            callback.on_train_begin = partial(_begin, name, callback.on_train_begin)


def _begin(name: str, begin: Callable[..., Any], *args: Any, **rest: Any) -> Any:
    try:
        return begin(*args, **rest)
    except Exception as error:
        what = f"{name} cannot start ({type(error).__name__})"
        hint = "UNTEACH_DEBUG=1 shows its message; or leave it out"
        raise UserError(Problem("train.report_to", what, hint)) from error


def _log(log: Callable[..., Any], *args: Any, logs: Any = None, **rest: Any) -> Any:
    return log(*args, logs=rename_terms(logs or {}), **rest)


def keep_tensorboard(callbacks: Iterable[TrainerCallback], out: Path) -> Path | None:
    """Let TensorBoard write into `runs/NAME` beside the result; its own folder is removed.

    Args:
        callbacks: of the trainer.
        out: the folder of the result.

    Returns:
        That folder; None if it does not log, or `TENSORBOARD_LOGGING_DIR` names another.
    """
    for callback in callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            folder = out.parent / RUNS / out.name
            callback.logging_dir = str(folder)
            return folder
    return None
