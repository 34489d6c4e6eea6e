"""When retraining is asked for, and when it could be: what it needs, and what is said of it."""

from typing import Any

from unteach.errors import Problem
from unteach.settings.request import Request

EXACT = "exact where the retain file is all the other fine-tuning data"


def retraining_problems(request: Request, method: Any) -> list[Problem]:
    """What a method that retrains lacks, which settings say nothing to it, and when it is exact.

    Args:
        request: as the user wrote it.
        method: built.
    """
    if method.trains_on != "retain":
        return []
    found = [
        Problem(f"--{flag}", f"is not given, and {method.name} {why}", hint, "request")
        for flag, given, why, hint in (
            ("base", request.base, "begins at the model before fine-tuning", "give that model"),
            ("retain", request.retain, "trains on nothing else", "give all other fine-tuning data"),
        )
        if not given
    ]
    what = f"is about forgetting, and {method.name} is never shown what is to be forgotten"
    found += [Problem(name, what, "leave it out", "request") for name in _of_forgetting(request)]
    if found:
        return found
    what = f"is {EXACT}, and the settings are those of the fine-tuning"
    hint = "set train.learning_rate, train.epochs, train.batch_size and the rest as they were then"
    return [Problem(f"--method {method.name}", what, hint, "note")]


def _of_forgetting(request: Request) -> list[str]:
    train = request.train
    asked = {
        "train.retain": train.retain not in (None, "none"),
        "train.retain_weight": bool(train.retain_weight),
        "train.stop_at": bool(train.stop_at),
        "train.min_kept": bool(train.min_kept),
        "train.draw_back": train.draw_back == "holdout",
        "train.rounds": (train.rounds or 1) > 1,
        "train.sam": bool(train.sam),
        "adapter.init": request.adapter.init == "fila",
    }
    return [name for name, given in asked.items() if given]


def could_retrain(request: Request, method: Any) -> list[Problem]:
    """A note that retraining is exact, where a method with a teacher has all that it needs."""
    if not (request.base and request.retain and "teacher_logits" in method.needs()):
        return []
    what = f"retraining from it is {EXACT}, and may be cheaper"
    hint = "for that give the same command with --method retrain"
    return [Problem("--base", what, hint, "note")]
