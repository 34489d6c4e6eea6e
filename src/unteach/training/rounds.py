"""Repeat the epochs in rounds until the teacher's level is reached, and decide when a run ends."""

import math
from copy import copy
from typing import Any

from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback

from unteach.training.config import UnlearningConfig

NEAR, SHARE = 0.02, 0.25  # how far above the level is near: at most this, and this share of it


def repeated(args: UnlearningConfig) -> UnlearningConfig:
    """Return a copy of the arguments with the epochs of all rounds; unchanged for one round."""
    if (args.rounds or 1) == 1:
        return args
    args = copy(args)
    args.num_train_epochs = (args.num_train_epochs or 0) * (args.rounds or 1)
    return args


def in_rounds(scheduler: Any, steps: int) -> Any:
    """Restart the learning rate schedule after every round.

    Args:
        scheduler: a LambdaLR, made for one round; others are returned unchanged.
        steps: steps per round.
    """
    if not isinstance(scheduler, LambdaLR):
        return scheduler
    changed: Any = scheduler
    changed.lr_lambdas = [lambda step, each=each: each(step % steps) for each in changed.lr_lambdas]
    return scheduler


class KeepOrder(TrainerCallback):
    """Callback that sets the epoch of the data order, and stops training."""

    def __init__(self, trainer: Any):
        self.trainer = trainer

    def on_epoch_begin(self, args, state, control, **kwargs):
        """Set the epoch of the data order.

        Otherwise a run of several processes that resumes within an epoch would use the order of the
        first epoch: accelerate's two wrappers do not pass the epoch on.
        """
        self.trainer.order.set_epoch(int(state.epoch + 1e-6))

    def on_step_end(self, args, state, control, **kwargs):
        """Stop at the requested probability, or after a round that reached the teacher's."""
        if self.trainer.monitor.done() or ends_for_good(self.trainer, state):
            control.should_training_stop = True


def ends_for_good(trainer: Any, state: Any) -> bool:
    """Whether a round ends at this step and no other follows, as the teacher's level is reached.

    Also used for the state of a checkpoint to resume from.
    """
    rounds = trainer.args.rounds or 1
    if trainer.level is None or rounds == 1:
        return False
    ends = state.global_step % math.ceil(state.max_steps / rounds) == 0
    return ends and trainer.monitor.reached(trainer.level, tolerance(trainer.level))


def tolerance(level: float) -> float:
    """Return how far above the teacher's level the forget answers may stay; a raw text's is low.

    Example:
        >>> tolerance(0.4), tolerance(0.0004)
        (0.02, 0.0001)
    """
    return min(NEAR, SHARE * level)
