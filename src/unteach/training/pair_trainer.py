"""Extend the trainer to draw pairs of examples in an order of their own, a whole step at a time."""

import math
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor

from unteach.rowengine.batch import Batch
from unteach.rowengine.rows import count
from unteach.training.order import PairOrder, drawn
from unteach.training.resume.trainer import ResumableTrainer


class PairTrainer(ResumableTrainer):
    """Trainer whose batches are pairs of a forget, a retain and a replay example; abstract."""

    _packs = False
    _step_batches: list[Batch]

    def get_batch_samples(self, *args: Any, **kwargs: Any):
        """Return the batches of a step; store them for SAM, which uses them twice."""
        batches, items = super().get_batch_samples(*args, **kwargs)
        self._step_batches = batches if self.args.sam else []  # type: ignore[attr-defined]
        return batches, items

    def _drawn(self, group: str = "retain") -> set[int]:
        """Return the indices of the retain or replay examples that the run will use."""
        epochs = math.ceil(self.args.num_train_epochs)
        if self.args.max_steps > 0:
            step = self.args.train_batch_size * self.args.gradient_accumulation_steps
            step *= self.args.world_size
            epochs = math.ceil(self.args.max_steps * step / len(self.pairs)) + 1
        return drawn(self._make_order(), epochs, len(getattr(self.pairs, group)), group)

    def _get_train_sampler(self, train_dataset=None) -> PairOrder:
        self.order = self._make_order()
        return self.order

    def _make_order(self) -> PairOrder:
        pairs, together = self.pairs, self._train_batch_size * self.args.world_size
        forget, retain, replay = (len(x) for x in (pairs.forget, pairs.retain, pairs.replay))
        grouped = self.args.packing and not self._packs  # type: ignore[attr-defined]
        lengths = pairs.lengths() if grouped else None
        fill = together if self.args.world_size > 1 else 1
        more = {"batch": together, "fill": fill, "replay": replay}
        return PairOrder(forget, retain, seed=self.args.seed, lengths=lengths, **more)

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> Tensor:
        """Count the whole step: all micro-batches, all processes."""
        counts = count(batch_samples)
        if self.accelerator.num_processes > 1:
            counts = self.accelerator.gather(counts.to(device)).view(-1, len(counts)).sum(0)  # type: ignore[union-attr]
        self.guard.counted(counts, batch_samples)
        return counts

    def _sum_over_processes(self, value: float) -> float:
        return sum(gather_object([value])) if self.accelerator.num_processes > 1 else value
