"""Validate the values of an `UnlearningConfig` and the trainer's method, before training.

The command line validates its request itself; this is for users of the Python API.
"""

import math
from collections.abc import Iterator
from typing import Any, TypeGuard

from unteach.errors import Problem, UserError
from unteach.losses.retain import RETAIN_TERMS
from unteach.methods import METHODS, Method
from unteach.registry import did_you_mean
from unteach.settings.messages import named, told
from unteach.training.implausible import ANYWHERE

PLAIN = ("sgd", "adagrad", "adafactor")  # their steps are proportional to the gradient
TEMPLATES = ("auto", "chat", "plain", "none")


def require_values(config: Any) -> None:
    """Raise ValueError for invalid values; the message lists the valid ones.

    Args:
        config: as the user wrote it; options left out are None.
    """
    if wrong := list(_wrong(config)):
        raise ValueError("; ".join(wrong))


def _wrong(config: Any) -> Iterator[str]:
    for name, choices in (("retain", [*RETAIN_TERMS, "none"]), ("template", TEMPLATES)):
        value = getattr(config, name)
        if value not in choices and not (value is None and name == "retain"):
            near = did_you_mean(value, list(choices)) if isinstance(value, str) else ""
            listed = ", ".join(choices)
            yield f"{name} is {told(value, choices)}; it is one of {listed}.{near}"
    plain = str(getattr(config.optim, "value", config.optim)) in PLAIN
    bounds = {
        "retain_weight": math.inf,
        "replay_weight": math.inf,
        "stop_at": 1.0,
        "sam": 1.0,
        "learning_rate": ANYWHERE if plain else 1.0,
    }
    for name, most in bounds.items():
        value: Any = getattr(config, name)
        if (value is None and name != "replay_weight") or (
            _is_number(value) and 0 <= value <= most
        ):
            continue
        within = f"from 0 to {most:g}" if math.isfinite(most) else "of 0 or more"
        more = ", a probability" if name == "stop_at" else ""
        yield f"{name} is {told(value)}; it is a number {within}{more}"
    for name, least in (("max_length", 2), ("rounds", 1), ("chunk_rows", 1)):
        value = getattr(config, name)
        if value is not None and (type(value) is not int or value < least):
            yield f"{name} is {told(value)}; it is a whole number, {least} or more"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def require_trainable(method: Any, eval_dataset: Any = None) -> None:
    """Check that a trainer's method is one, and that no evaluation data are given.

    Args:
        method: should be an instance of `Method`.
        eval_dataset: option of transformers' trainer that is ignored here.

    Raises:
        UserError: it is not a method, with the known names; or `eval_dataset` is given.
    """
    if eval_dataset is not None:
        hint = "leave it out; `unteach.inference.answer_tokens` scores a model at any time"
        raise UserError(Problem("eval_dataset", "is not looked at here", hint, "request"))
    if isinstance(method, Method):
        return
    known = list(METHODS)
    if isinstance(method, str):
        what = f"got the name {named(method, known)} where a method belongs"
        near = method if method in known else ""
        hint = did_you_mean(method, known).strip() if not near else ""
    else:
        what = f"got {told(method)} where a method belongs"
        ours = isinstance(method, type) and issubclass(method, Method)
        near, hint = method.name if ours else "", ""
    made = f"give {METHODS.get(near).__name__}(), of unteach.methods" if near else ""
    listed = made or f"{hint} Give one by `build(name, {{}})`: {', '.join(known)}".strip()
    raise UserError(Problem("method", what, listed, "request"))
