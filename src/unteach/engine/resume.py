"""What a checkpoint holds of ours, so that a run that goes on from it ends as if never cut."""

import hashlib
import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint

from unteach.adapters import mark_base
from unteach.engine.batch import Pairs
from unteach.engine.dual import Dual
from unteach.engine.monitor import Monitor
from unteach.nouns import Problem, UserError

FILE = "unteach.json"


def mark_before(model: Any, pairs: Pairs) -> str:
    """A hash of the model's base weights and of the sequences, the same on every machine."""
    texts = [(s.ids, s.answer) for s in (*pairs.forget, *pairs.retain, *pairs.alternates)]
    data = hashlib.sha256(repr(texts).encode()).hexdigest()
    return hashlib.sha256(f"{mark_base(model).sha256} {data}".encode()).hexdigest()[:16]


class Carried(TrainerCallback):
    """Writes the retain term's weight and what the monitor has seen beside every checkpoint.

    Args:
        dual: the weight.
        monitor: the forget answers' probabilities, by number.

    Attributes:
        before: hash of the model before and of the data, which the run that goes on must share;
            what it reads of the model before is worked out anew.
    """

    def __init__(self, dual: Dual, monitor: Monitor):
        self._dual, self._monitor = dual, monitor
        self.before = ""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called when a checkpoint is written; all processes hold the same, one writes."""
        folder = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            held = {
                "before": self.before,
                "retain_weight": self._dual.weight,
                "probabilities": self._monitor.last,
            }
            (folder / FILE).write_text(json.dumps(held), encoding="utf-8")

    def load(self, checkpoint: Any, folder: str) -> None:
        """Take up where a checkpoint ended.

        Args:
            checkpoint: a folder, True for the newest one, or nothing.
            folder: where checkpoints are.

        Raises:
            UserError: the checkpoint lacks our part, or is of another model or other data.
        """
        if checkpoint is True:
            checkpoint = get_last_checkpoint(folder)
        if not checkpoint:
            return
        file = Path(checkpoint) / FILE
        if not file.is_file():
            what = f"holds no {FILE}: it is half written, or of another trainer"
            hint = "go on from the checkpoint before it, or start again"
            raise UserError(Problem(str(checkpoint), what, hint))
        held = json.loads(file.read_text(encoding="utf-8"))
        if held["before"] != self.before:
            what = "was written by a run on another model, or on other data"
            hint = "go on with the model and the files that it began with, or start again"
            raise UserError(Problem(str(checkpoint), what, hint))
        self._dual.weight = float(held["retain_weight"])
        self._monitor.see({int(k): p for k, p in held["probabilities"].items()})
