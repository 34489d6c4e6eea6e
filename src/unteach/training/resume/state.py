"""Save and restore unteach's own training state in checkpoints, so that resuming is exact."""

import hashlib
import secrets
from pathlib import Path
from typing import Any

from unteach.adapters import mark_base
from unteach.errors import Problem, UserError
from unteach.rowengine.batch import Pairs
from unteach.training.dual_ascent import DualAscent
from unteach.training.resume.checkpoints import finish, read
from unteach.training.safeguards.divergence import DivergenceGuard
from unteach.training.safeguards.early_stopping import EarlyStopping


def mark_before(model: Any, pairs: Pairs) -> str:
    """Hash the model's base weights and the sequences; the same on every machine."""
    every = (*pairs.forget, *pairs.retain, *pairs.alternates, *pairs.replay)
    texts = [(s.ids, s.answer) for s in every]
    data = hashlib.sha256(repr(texts).encode()).hexdigest()
    return hashlib.sha256(f"{mark_base(model).sha256} {data}".encode()).hexdigest()


class CarriedState:
    """unteach's training state that every checkpoint stores.

    Args:
        dual: holds the retain term's weight.
        monitor: holds the forget answers' probabilities, by index.
        guard: holds statistics of earlier steps.

    Attributes:
        before: hash of the original model and the data; a resumed run must have the same, since it
            computes the reference values again. Checkpoints store it salted, so that nobody can
            test guesses of the data against it.
    """

    def __init__(self, dual: DualAscent, monitor: EarlyStopping, guard: DivergenceGuard):
        self._dual, self._monitor, self._guard = dual, monitor, guard
        self.before = ""

    def finish(self, folder: Path, step: int, keep: int | None) -> None:
        """Add this state to a staged checkpoint and complete it; on the main process only."""
        salt = secrets.token_hex(16)
        held = {
            "salt": salt,
            "before": _salted(salt, self.before),
            "retain_weight": self._dual.weight,
            "probabilities": self._monitor.last,
            "passes": self._monitor.passes,
            "since": sorted(self._monitor.since),
            "ended": self._monitor.reason if self._monitor.ended else "",
            "guard": self._guard.seen,
        }
        finish(folder, step, held, keep)

    def load(self, found: Path) -> None:
        """Restore the state from a complete checkpoint.

        Raises:
            UserError: the checkpoint is of another model or other data.
        """
        held = read(found) or {}
        if held.get("before") != _salted(str(held.get("salt")), self.before):
            what = "was written by a run on another model, or on other data"
            hint = "go on with the model and the files that it began with, or start again"
            raise UserError(Problem(str(found), what, hint))
        self._dual.weight = float(held["retain_weight"])
        self._monitor.last = {int(k): p for k, p in held["probabilities"].items()}
        self._monitor.passes = list(held.get("passes", []))
        self._monitor.since = set(held.get("since", []))
        self._guard.seen = held["guard"]
        if ended := held.get("ended"):
            self._monitor.end(ended)


def _salted(salt: str, mark: str) -> str:
    return hashlib.sha256(f"{salt} {mark}".encode()).hexdigest()
