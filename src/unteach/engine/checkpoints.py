"""Checkpoints that are whole or not there: staged, flushed, listed, and renamed.

transformers writes a checkpoint in place, file by file, and takes the newest folder for the newest
checkpoint. Cut off while saving, 6 of 14 runs could not go on from what it left; without its
optimizer file a run goes on, silently another one. Staged and renamed, 14 of 14 could.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from unteach.nouns import Problem, UserError
from unteach.rundir import flush, write_text

FILE = "unteach.json"
STAGING = ".staging"
NAME = re.compile(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)")
OPTIMIZER = ("optimizer", "global_step")  # the other is DeepSpeed's folder
SHARE = 0.05  # of the time, at most, goes into checkpoints


def finish(folder: Path, step: int, held: dict[str, Any], keep: int | None = None) -> Path:
    """A staged checkpoint is complete: list its files, and give it its name.

    Args:
        folder: where checkpoints are; this one is in `.staging` there.
        step: after which it was written.
        held: what else is to be known of it.
        keep: how many; older ones are removed. None keeps all.
    """
    name = f"{PREFIX_CHECKPOINT_DIR}-{step}"
    staged, there = folder / STAGING / name, folder / name
    write_text(staged / FILE, json.dumps({**held, "files": _sizes(staged)}))
    flush(staged)
    shutil.rmtree(there, ignore_errors=True)
    os.replace(staged, there)
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    others = [c for c in _all(folder) if c != there]  # a damaged one may bear a higher number
    for old in others[keep - 1 :] if keep else ():
        shutil.rmtree(old, ignore_errors=True)
    return there


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint; None where there is none."""
    return next((c for c in _all(folder) if not lacking(c)), None)


def lacking(checkpoint: Path) -> str:
    """What keeps a run from going on from a checkpoint; nothing when it is whole."""
    held = read(checkpoint)
    if held is None:
        return f"holds no {FILE}: it is half written, or of another trainer"
    found = _sizes(checkpoint)
    for name, size in held["files"].items():
        if found.get(name) != size:
            return f"lacks {name}, or a part of it"
    if not any(name.startswith(OPTIMIZER) for name in found):
        return "holds no state of the optimizer"
    return ""


def read(checkpoint: Path) -> dict[str, Any] | None:
    """What is known of a checkpoint; None when it says nothing."""
    try:
        held = json.loads((checkpoint / FILE).read_text(encoding="utf-8"))
        return held if isinstance(held["files"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def chosen(checkpoint: Any, folder: Path) -> Path | None:
    """The checkpoint to go on from.

    Args:
        checkpoint: a folder, True for the newest whole one, or nothing.
        folder: where checkpoints are.

    Raises:
        UserError: it is not whole, or there is none.
    """
    if not checkpoint:
        return None
    if checkpoint is True:
        if found := newest(folder):
            return found
        what = "holds no whole checkpoint"
        raise UserError(Problem(str(folder), what, "start again without one"))
    if what := lacking(Path(checkpoint)):
        hint = "go on from the checkpoint before it, or start again"
        raise UserError(Problem(str(checkpoint), what, hint))
    return Path(checkpoint)


class Pace(TrainerCallback):
    """Asks for checkpoints: every so many steps, or by the clock.

    None is asked for when training is over, since what comes of it is written next.

    Args:
        steps: between two; None goes by the clock.
        minutes: between two, where saving one takes little; at most a twentieth of the time goes
            into saving.
        before: names the model before, the data and all else that the run that goes on must share.
        agreed: what the main process says, in all: clocks differ.
    """

    def __init__(
        self,
        steps: int | None,
        minutes: float,
        before: str,
        agreed: Callable[[bool], bool] = lambda due: due,
    ):
        self.before = before
        self._steps, self._wait, self._agreed = steps, 60 * minutes, agreed
        self._asked = self._done = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After each step of the optimizer."""
        over = control.should_training_stop or state.global_step >= state.max_steps
        if not over and self._wait and self._due(state.global_step):
            control.should_save, self._asked = True, time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint was written."""
        self._done = time.monotonic()

    def _due(self, step: int) -> bool:
        if self._steps:
            return step % self._steps == 0
        now = time.monotonic()
        took = self._done - self._asked
        return self._agreed(now - self._done >= max(self._wait, took / SHARE))


def _all(folder: Path) -> list[Path]:
    """Newest first."""
    found = [(int(m[1]), p) for p in folder.glob("*") if (m := NAME.fullmatch(p.name))]
    return [path for _, path in sorted(found, reverse=True)]


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = (f for f in checkpoint.rglob("*") if f.is_file() and f.name != FILE)
    return {str(f.relative_to(checkpoint).as_posix()): f.stat().st_size for f in files}
