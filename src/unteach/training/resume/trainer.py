"""The trainer's checkpoints: written beside the others, named when whole, and gone on from."""

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


class ResumableTrainer(GatheredTrainer):
    """Abstract; a trainer that goes on where it was cut off and ends as if it never had been.

    Attributes:
        pairs: the sequences of all groups.
        monitor: what was seen of the forget answers.
        dual: the retain term's weight.
        guard: looks at the numbers of every step.
    """

    pairs: Pairs
    monitor: EarlyStopping
    dual: DualAscent
    guard: DivergenceGuard
    _staging = False

    def mark(self, wanted: Any) -> None:
        """Before training: what a checkpoint and the run that goes on from it must share."""
        self._carried = CarriedState(self.dual, self.monitor, self.guard)
        paced = [c for c in self.callback_handler.callbacks if isinstance(c, CheckpointPace)]
        if paced:
            self._carried.before = paced[0].before
        elif wanted or self.args.save_strategy != "no":
            self._carried.before = from_main(lambda: mark_before(self.model, self.pairs))

    def took_up(self, wanted: Any) -> Path | None:
        """The checkpoint to go on from; what it holds of ours is taken up. Raises UserError."""
        folder = Path(str(self.args.output_dir))
        if found := from_main(lambda: chosen(wanted, folder)):  # one reads it, and all agree
            self._carried.load(found)
            require_same_kind(found, self.accelerator)
        return found

    def over(self, checkpoint: Path) -> TrainOutput | None:
        """Take up a checkpoint at which training had ended; transformers would make one more step.

        None when it had not, and where weights are in shards.
        """
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        stopped = self.monitor.done() or ends_for_good(self, state)  # the monitor says why
        if not (stopped or state.global_step >= state.max_steps) or self.shell is not None:
            return None
        self._load_from_checkpoint(str(checkpoint))
        self.state = state
        return TrainOutput(state.global_step, 0.0, {})

    def _get_output_dir(self, trial: Any) -> str:
        folder = super()._get_output_dir(trial)
        return os.path.join(folder, STAGING) if self._staging else folder

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write it beside the others, and name it when all processes have done their part.

        The losses logged so far are left out: those of the first step are the model's before, and
        of a batch of one short answer they tell the answer to whoever has that model.

        Raises:
            UserError: a weight is no number, or the disk of any process refuses to take it.
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
        """Away with what was being written when a run was cut off."""
        if self.args.should_save:
            shutil.rmtree(folder / STAGING, ignore_errors=True)

    def _write(self, folder: Path, save: Callable[..., None], *given: Any) -> None:
        logged, self.state.log_history = self.state.log_history, []  # losses of single answers
        try:
            with in_words(folder):
                save(*given)
        finally:
            self.state.log_history = logged

    def _name(self, folder: Path) -> None:
        if self.args.should_save:
            with in_words(folder):
                self._carried.finish(folder, self.state.global_step, self.args.save_total_limit)
