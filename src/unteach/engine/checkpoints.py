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

from unteach.engine.notice import Notice
from unteach.nouns import Problem, UserError
from unteach.rundir import flush, sizes, write_text

FILE = "unteach.json"
STAGING = ".staging"
NAME = re.compile(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)")
OPTIMIZER = ("optimizer", "global_step")  # the other is DeepSpeed's folder
Said = tuple[bool, bool]  # that a checkpoint is due, and that the end was asked for
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
    write_text(staged / FILE, json.dumps({**held, "files": sizes(staged, FILE)}))
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
    found = sizes(checkpoint, FILE)
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
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
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
    """Asks for checkpoints: every so many steps, or by the clock; and for a last one.

    None is asked for when training is over, since what comes of it is written next. On notice that
    the machine goes away one is written, or ended, and the process ends.

    Args:
        steps: between two; None goes by the clock.
        minutes: between two, where saving one takes little; at most a twentieth of the time goes
            into saving.
        before: names the model before, the data and all else that the run that goes on must share.
        everyone: what each process says, the main one first: clocks differ, and notice may be
            given to one alone.
        notice: listens from the first step on, where there are checkpoints at all.
    """

    def __init__(
        self,
        steps: int | None,
        minutes: float,
        before: str,
        everyone: Callable[[Said], list[Said]] = lambda said: [said],
        notice: Notice | None = None,
    ):
        self.before, self._notice = before, notice or Notice()
        self._steps, self._wait, self._everyone = steps, 60 * minutes, everyone
        self._asked = self._done = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The model before was asked, and a checkpoint taken up."""
        if self._wait:
            self._notice.listen()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After each step of the optimizer."""
        if not self._wait:
            return
        said = self._everyone((self._due(state.global_step), self._notice.asked))
        over = control.should_training_stop or state.global_step >= state.max_steps
        if _leaving(said) or (said[0][0] and not over):
            control.should_save, self._asked = True, time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint was written. Raises SystemExit where it is the last."""
        self._done = time.monotonic()
        if _leaving(self._everyone((False, self._notice.asked))):
            self._notice.leave()

    def _due(self, step: int) -> bool:
        if self._steps:
            return step % self._steps == 0
        now = time.monotonic()
        took = self._done - self._asked
        return now - self._done >= max(self._wait, took / SHARE)


def _leaving(said: list[Said]) -> bool:
    return any(asked for _, asked in said)


def _all(folder: Path) -> list[Path]:
    """Newest first."""
    found = [(int(m[1]), p) for p in folder.glob("*") if (m := NAME.fullmatch(p.name))]
    return [path for _, path in sorted(found, reverse=True)]
