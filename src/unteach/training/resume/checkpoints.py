"""Checkpoints that are whole or not there: staged, flushed, listed with hashes, and renamed.

transformers writes a checkpoint in place, file by file, and takes the newest folder for the newest
checkpoint. Cut off while saving, 6 of 14 runs could not go on from what it left; without its
optimizer file a run goes on, silently another one. Staged and renamed, 14 of 14 could.

Every byte is read twice: for its hash as it was written, and before a run goes on from it.
"""

import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerState
from transformers.trainer_pt_utils import safe_globals
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from unteach.errors import Problem, UserError
from unteach.files import damage, flush, hashes, read_sealed, write_sealed
from unteach.training.safeguards.sigterm import SigtermNotice

logger = logging.getLogger(__name__)

FILE = "unteach.json"
STATE = "trainer_state.json"
PICKLED = re.compile(r"(optimizer|scheduler|scaler|rng_state)[^/]*\.(pt|pth|bin)")
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
    write_sealed(staged / FILE, {**held, "files": hashes(staged, FILE)})
    flush(staged)
    shutil.rmtree(there, ignore_errors=True)
    os.replace(staged, there)
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    others = [c for c in _all(folder) if c != there]  # a damaged one may bear a higher number
    for old in others[keep - 1 :] if keep else ():
        shutil.rmtree(old, ignore_errors=True)
    return there


@dataclass(frozen=True)
class WholeCheckpoint:
    """A checkpoint that was found whole just now: nobody need read all of it once more."""

    path: Path


def newest(
    folder: Path, note: Callable[[Problem], None] = lambda p: logger.warning(str(p))
) -> Path | None:
    """The newest whole checkpoint; None where there is none.

    It is read to its last byte, and so is each newer one that is not whole.

    Args:
        folder: where checkpoints are.
        note: told of each that is passed over, and why.
    """
    for checkpoint in _all(folder):
        if not (what := lacking(checkpoint)):
            return checkpoint
        hint = "training goes on from the one before it, or begins anew where there is none"
        note(Problem(str(checkpoint), f"{what}: passed over", hint, "note"))
    return None


def lacking(checkpoint: Path) -> str:
    """What keeps a run from going on from a checkpoint; nothing when it is whole."""
    held = read(checkpoint)
    if held is None:
        return f"holds no {FILE} as it was written: it is damaged, or of another trainer"
    if what := damage(checkpoint, held["files"]):
        return what
    if not any(name.startswith(OPTIMIZER) for name in held["files"]):
        return "holds no state of the optimizer"
    return next(filter(None, (_unreadable(checkpoint / name) for name in held["files"])), "")


def _unreadable(file: Path) -> str:
    """That a file cannot be loaded, though it is as it was written: by another torch, say.

    Of tensors no more than their names and shapes is read here.
    """
    try:
        if PICKLED.fullmatch(file.name):
            with safe_globals():
                torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        elif file.name == STATE:
            TrainerState.load_from_json(str(file))
    except Exception as error:  # what is in the file decides what is raised
        return f"{file.name} cannot be loaded ({type(error).__name__})"
    return ""


def read(checkpoint: Path) -> dict[str, Any] | None:
    """What is known of a checkpoint; None when it says nothing, or is damaged."""
    held = read_sealed(checkpoint / FILE)
    return held if held and isinstance(held.get("files"), dict) else None


def chosen(checkpoint: Any, folder: Path) -> Path | None:
    """The checkpoint to go on from.

    Args:
        checkpoint: a folder, one that is `Whole`, True for the newest whole one, or nothing.
        folder: where checkpoints are.

    Raises:
        UserError: it is not whole, or there is none.
    """
    if not checkpoint:
        return None
    if isinstance(checkpoint, WholeCheckpoint):
        return checkpoint.path
    if checkpoint is True:
        if found := newest(folder):
            return found
        what = "holds no whole checkpoint"
        raise UserError(Problem(str(folder), what, "start again without one"))
    if what := lacking(Path(checkpoint)):
        hint = "go on from the checkpoint before it, or start again"
        raise UserError(Problem(str(checkpoint), what, hint))
    return Path(checkpoint)


class CheckpointPace(TrainerCallback):
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
        notice: listens from the first step on, where there are checkpoints at all. Who gives it
            also leaves it, which puts the process's handler of SIGTERM back.
    """

    def __init__(
        self,
        steps: int | None,
        minutes: float,
        before: str,
        everyone: Callable[[Said], list[Said]] = lambda said: [said],
        notice: SigtermNotice | None = None,
    ):
        self.before, self._notice = before, notice or SigtermNotice()
        self._listens = bool(minutes) and notice is not None
        self._steps, self._wait, self._everyone = steps, 60 * minutes, everyone
        self._asked = self._done = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The model before was asked, and a checkpoint taken up."""
        if self._listens:
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
