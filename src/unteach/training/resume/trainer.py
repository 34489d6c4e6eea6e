"""Extend the trainer to write checkpoints atomically and to resume from them exactly."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerState
from transformers.trainer_utils import TrainOutput

from unteach.files import in_words
from unteach.processes.launcher import require_same_kind
from unteach.processes.share import from_main, together
from unteach.rowengine.batch import Pairs
from unteach.sharding.trainer import GatheredTrainer
from unteach.training.dual_ascent import DualAscent
from unteach.training.resume.checkpoints import STAGING, CheckpointPace, chosen
from unteach.training.resume.state import CarriedState, mark_before
from unteach.training.rounds import ends_for_good
from unteach.training.safeguards.divergence import DivergenceGuard
from unteach.training.safeguards.early_stopping import EarlyStopping
from unteach.training.trackers import name_terms


class ResumableTrainer(GatheredTrainer):
    """Trainer that resumes from a checkpoint with the result of an uninterrupted run; abstract.

    Attributes:
        pairs: the sequences of all groups.
        monitor: tracks the forget answers' probabilities.
        dual: holds the retain term's weight.
        guard: checks loss and gradient of every step.
    """

    pairs: Pairs
    monitor: EarlyStopping
    dual: DualAscent
    guard: DivergenceGuard
    _staging = False

    def mark(self, wanted: Any) -> None:
        """Before training, name what trackers get, and set the hash that a checkpoint shares."""
        name_terms(self.callback_handler.callbacks)
        self._carried = CarriedState(self.dual, self.monitor, self.guard)
        paced = [c for c in self.callback_handler.callbacks if isinstance(c, CheckpointPace)]
        if paced:
            self._carried.before = paced[0].before
        elif wanted or self.args.save_strategy != "no":
            self._carried.before = from_main(lambda: mark_before(self.model, self.pairs))

    def took_up(self, wanted: Any) -> Path | None:
        """Return the checkpoint to resume from, its own state restored. Raises UserError."""
        folder = Path(str(self.args.output_dir))
        if checkpoint := from_main(lambda: chosen(wanted, folder)):  # the same on all processes
            self._carried.load(checkpoint)
            require_same_kind(checkpoint, self.accelerator)
        return checkpoint

    def over(self, checkpoint: Path) -> TrainOutput | None:
        """Load a checkpoint at which training had ended; transformers would train one more step.

        Returns:
            None if training had not ended there, or if weights are sharded.
        """
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        stopped = self.monitor.done() or ends_for_good(self, state)  # these set monitor.reason
        if not (stopped or state.global_step >= state.max_steps) or self.shell is not None:
            return None
        self._load_from_checkpoint(str(checkpoint))
        self.state = state
        return TrainOutput(state.global_step, 0.0, {})

    def _get_output_dir(self, trial: Any) -> str:
        folder = super()._get_output_dir(trial)
        return os.path.join(folder, STAGING) if self._staging else folder

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write the checkpoint to a staging folder, and rename it when all processes are done.

        Logged losses are left out: those of the first step are the original model's, and with a
        batch of one short answer they reveal the answer to anybody who has that model.

        Raises:
            UserError: a weight is not finite, or writing fails on any process.
        """
        self.guard.before_save()
        folder = Path(self._get_output_dir(trial))
        together(partial(self._clear, folder))
        self._staging = True
        try:
            together(partial(self._write, folder, super()._save_checkpoint, model, trial))
        finally:
            self._staging = False
        together(partial(self._name, folder))

    def _clear(self, folder: Path) -> None:
        """Remove what an interrupted run left in the staging folder."""
        if self.args.should_save:
            shutil.rmtree(folder / STAGING, ignore_errors=True)

    def _write(self, folder: Path, save: Callable[..., None], *args: Any) -> None:
        logged, self.state.log_history = self.state.log_history, []  # losses of single answers
        try:
            with in_words(folder):
                save(*args)
        finally:
            self.state.log_history = logged

    def _name(self, folder: Path) -> None:
        if self.args.should_save:
            with in_words(folder):
                self._carried.finish(folder, self.state.global_step, self.args.save_total_limit)
