"""Score the model during training, to stop when it forgot enough or harms other answers."""

import math
from statistics import fmean
from typing import Any

from transformers import TrainerCallback

from unteach.inference import answer_tokens
from unteach.teachers.holdout import level_auc
from unteach.training.safeguards.draw_back import evenly
from unteach.training.safeguards.early_stopping import EarlyStopping
from unteach.training.training_data import TrainingData
from unteach.types import Sequence

PROBE = 32  # scored answers of each kind
SHARE = 0.05  # most of the training's compute that scoring may take
BACKWARD = 3  # training on a token costs as much as scoring three


class WeightWatch(TrainerCallback):
    """Callback that scores a few answers of each kind at intervals, and may end training.

    The probabilities from training batches are measured before the step, some a whole epoch ago.
    This scores the current weights. The interval depends only on the data's tokens, so a resumed
    run scores at the same steps.

    Args:
        model: before training.
        monitor: receives the reason for ending training.
        data: what is trained on; its holdout is not used in the evaluation.
        stop: end when forget answers are no likelier than holdout answers: the AUC of their
            log-probabilities per token is at most 1/2.
        min_kept: end when the mean probability per token of the retain or the holdout answers is
            below this share of its value before training; 0 turns this off.
        tokens_per_batch: padded tokens per forward pass.
    """

    def __init__(
        self,
        model: Any,
        monitor: EarlyStopping,
        data: TrainingData,
        *,
        stop: bool,
        min_kept: float = 0.0,
        tokens_per_batch: int = 4096,
    ):
        self._model, self._monitor, self._stop = model, monitor, stop
        self._min_kept, self._tokens_per_batch = min_kept, tokens_per_batch
        self._probes = {"forget": evenly(data.forget, PROBE)} if stop else {}
        self._probes["holdout"] = evenly(data.holdout, PROBE)
        self._probes |= {"retain": evenly(data.retain, PROBE)} if min_kept and data.retain else {}
        self._epoch = _tokens(data.forget) * (2 if data.retain else 1)
        self._before = _probabilities(self._score()) if min_kept else {}
        self._every = 1

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the number of steps between two scorings."""
        step = BACKWARD * self._epoch * args.num_train_epochs / max(state.max_steps, 1)
        scored = sum(_tokens(probe) for probe in self._probes.values())
        self._every = max(1, math.ceil(scored / (SHARE * step)))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Score if it is due, and end training if the scores say so."""
        if state.global_step % self._every or self._monitor.reason:
            return
        logps = self._score()
        if reason := self._forgotten(logps) or self._harmed(logps):
            self._monitor.end(reason)
            control.should_training_stop = True

    def _score(self) -> dict[str, list[list[float]]]:
        """Return log-probabilities of the answer tokens of each kind, all on every process."""
        training = self._model.training
        sequences = [s for probe in self._probes.values() for s in probe]
        answers = iter(
            answer_tokens(
                self._model.eval(), sequences, tokens_per_batch=self._tokens_per_batch, shared=True
            )
        )
        self._model.train(training)
        return {
            name: [list(next(answers).logps) for _ in probe] for name, probe in self._probes.items()
        }

    def _forgotten(self, logps: dict[str, list[list[float]]]) -> str:
        if not self._stop or (area := level_auc(logps["forget"], logps["holdout"])) > 0.5:
            return ""
        return f"the forget answers are no likelier than the holdout's (AUC {area:.2f})"

    def _harmed(self, logps: dict[str, list[list[float]]]) -> str:
        for name, now in _probabilities(logps).items():
            before = self._before.get(name)
            if name != "forget" and before and now < self._min_kept * before:
                share = f"{now / before:.0%} of their probability, less than"
                return f"the {name} answers have {share} train.min_kept = {self._min_kept:g}"
        return ""


def _probabilities(logps: dict[str, list[list[float]]]) -> dict[str, float]:
    """Return the mean probability per token over the answers of each kind."""
    return {
        name: fmean(math.exp(fmean(one)) for one in answers)
        for name, answers in logps.items()
        if answers
    }


def _tokens(sequences: list[Sequence]) -> int:
    return sum(len(sequence.ids) for sequence in sequences)
