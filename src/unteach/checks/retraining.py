"""Check what a method that retrains needs, and suggest retraining where it is possible."""

from typing import Any

from unteach.errors import Problem
from unteach.settings.request import Request

EXACT = "exact where the retain file is all the other fine-tuning data"


def retraining_problems(request: Request, method: Any) -> list[Problem]:
    """Find missing inputs and unused settings of a method that retrains; else note its limits.

    Args:
        request: as the user wrote it.
        method: the method, built with its options.
    """
    if method.trains_on != "retain":
        return []
    found = [
        Problem(f"--{flag}", f"is not given, and {method.name} {why}", hint, "request")
        for flag, given, why, hint in (
            ("base", request.base, "begins at the model before fine-tuning", "give that model"),
            (
                "retain",
                request.source("retain"),
                "trains on nothing else",
                "give all other fine-tuning data",
            ),
        )
        if not given
    ]
    what = f"is about forgetting, and {method.name} is never shown what is to be forgotten"
    found += [
        Problem(name, what, "leave it out", "request") for name in _forgetting_settings(request)
    ]
    if found:
        return found
    what = f"is {EXACT}, and the settings are those of the fine-tuning"
    hint = "set train.learning_rate, train.epochs, train.batch_size and the rest as they were then"
    return [Problem(f"--method {method.name}", what, hint, "note")]


def _forgetting_settings(request: Request) -> list[str]:
    train = request.train
    settings = {
        "train.retain": train.retain not in (None, "none"),
        "train.retain_weight": bool(train.retain_weight),
        "train.stop_at": bool(train.stop_at),
        "train.min_kept": bool(train.min_kept),
        "train.draw_back": train.draw_back in ("holdout", "made"),
        "train.rounds": (train.rounds or 1) > 1,
        "train.sam": bool(train.sam),
        "adapter.init": request.adapter.init == "fila",
    }
    return [name for name, is_set in settings.items() if is_set]


def could_retrain(request: Request, method: Any) -> list[Problem]:
    """Note that retraining is exact, if a method with a teacher has all inputs for it."""
    if not (request.base and request.source("retain") and method.asks_base()):
        return []
    what = f"retraining from it is {EXACT}, and may be cheaper"
    hint = "for that give the same command with --method retrain"
    return [Problem("--base", what, hint, "note")]
