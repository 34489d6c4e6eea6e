"""Judge a trial by rows of the first half: how near to never seen, and how much is kept."""

import math
from dataclasses import dataclass, field
from statistics import fmean, harmonic_mean
from typing import Any

from unteach.metrics.closeness import closeness_forget, closeness_kept, closeness_privacy
from unteach.metrics.roc import auc
from unteach.metrics.rows import Groups, ModelCase


@dataclass(frozen=True)
class Marks:
    """Scores of one model, each from 0 to 1, the best.

    Attributes:
        forgotten: 1 where the forget answers are as likely as answers that were never seen, 0
            where all of them are likelier, or all of them less likely.
        kept: share of the retain answers' probability that is left; of the holdout's without them.
        value: the harmonic mean of the two, by which a search chooses.
    """

    forgotten: float
    kept: float
    value: float


@dataclass(frozen=True)
class Judge:
    """Compares a model's rows with those of the original and of what never saw the data.

    Attributes:
        original: rows of the original model.
        retrained: rows of a model trained without the forget set; None without.
        base: rows of the model before fine-tuning, where there is neither that nor a holdout.
    """

    original: Groups = field(repr=False)
    retrained: Groups | None = field(default=None, repr=False)
    base: Groups | None = field(default=None, repr=False)

    @property
    def words(self) -> str:
        """Return the objective in words, for the report."""
        if self.retrained:
            return "closeness to the retrained model, of the numbers that need no generation"
        never = "those of the base model"
        if self._held:
            never = "the holdout's, as the trial has them or as the original had them, the worse"
        kept = "retain" if self.original.get("retain") else "holdout"
        return (
            f"the harmonic mean of 1 - |2 AUC - 1|, of the forget answers' likelihood against "
            f"{never}, and of the share of the {kept} answers' probability that is kept"
        )

    @property
    def _held(self) -> bool:
        return bool(self.original.get("holdout"))

    def marks(self, rows: Groups) -> Marks:
        """Judge the rows of a model that was asked the same."""
        if self.retrained:
            case = ModelCase(rows, original=self.original, retrained=self.retrained)
            parts = [closeness_forget(case), closeness_privacy(case), closeness_kept(case)]
            forget, privacy, kept = (part.value or 0.0 for part in parts)
            return _marks(_mean([forget, privacy]), kept, _mean([forget, privacy, kept]))
        held = [rows["holdout"], self.original["holdout"]] if self._held else []
        bands = held or [(self.base or {})["forget"]]
        role = "retain" if rows.get("retain") else "holdout"
        before = max(_probability(self.original[role]), 1e-9)
        kept = min(_probability(rows[role]) / before, 1.0)
        forgotten = min(_unmarked(rows["forget"], band) for band in bands)
        return _marks(forgotten, kept, _mean([forgotten, kept]))


def _unmarked(forget: list[Any], never: list[Any]) -> float:
    """Return 1 - |2 AUC - 1| of the forget answers against answers that were never seen."""
    return 1 - abs(2 * (auc(_logps(forget), _logps(never)).value or 0.0) - 1)


def _marks(forgotten: float, kept: float, value: float) -> Marks:
    return Marks(round(forgotten, 4), round(kept, 4), round(value, 4))


def _mean(values: list[float]) -> float:
    """Harmonic mean; 0 where one of them is."""
    return 0.0 if min(values) <= 0 else harmonic_mean(values)


def _logps(rows: list[Any]) -> list[float]:
    return [row.logp for row in rows if row.kind == "answer" and row.logp is not None]


def _probability(rows: list[Any]) -> float:
    return fmean(map(math.exp, _logps(rows)))
