"""Restart training with a lower learning rate if the automatic one destroys the model."""

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from unteach.errors import Problem
from unteach.files import write_text
from unteach.processes.share import from_main
from unteach.settings.request import Request
from unteach.training.safeguards.divergence import ModelDestroyed

FILE = "learning-rate.json"
Made = TypeVar("Made")


def with_lower_rate(
    train: Callable[[Request], Made],
    request: Request,
    note: Callable[[Problem], None],
    checkpoints: Path | None = None,
) -> tuple[Made, float | None]:
    """Train; if the automatic rate destroys the model in its first steps, restart once.

    The second attempt uses the rate that the error advises: a tenth. A rate that the user set is
    not changed, and the error is raised.

    Args:
        train: loads the model and trains it as the request says.
        request: with every default filled in.
        note: called with a note on the lower rate.
        checkpoints: folder of checkpoints, which stores the lower rate for a resumed run; None for
            no checkpoints.

    Returns:
        The result of `train`, and the lower rate; None if the first rate worked.

    Raises:
        UserError: the lower rate destroys the model too, or anything else is wrong.
    """
    lower = from_main(lambda: _kept(checkpoints))
    if lower is None:
        try:
            return train(request), None
        except ModelDestroyed as error:
            if error.lower is None:
                raise
            lower, what = error.lower, error.problems[0].what.split(":")[0]
        gc.collect()  # frees the destroyed model, which the error's traceback referenced
        from_main(lambda: _keep(checkpoints, lower))
        what = f"{request.train.learning_rate:g} is too fast for this model: {what}"
        hint = f"training begins again with {lower:g}; set train.learning_rate to choose"
        note(Problem("train.learning_rate", what, hint, "note"))
    slower = request.train.model_copy(update={"learning_rate": lower})
    return train(request.model_copy(update={"train": slower})), lower


def _kept(checkpoints: Path | None) -> float | None:
    file = checkpoints and checkpoints / FILE
    return float(json.loads(file.read_text())) if file and file.exists() else None


def _keep(checkpoints: Path | None, lower: float) -> None:
    """Store the lower rate, and remove what the destroyed run had written."""
    if checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)
        checkpoints.mkdir(parents=True)
        write_text(checkpoints / FILE, json.dumps(lower))
