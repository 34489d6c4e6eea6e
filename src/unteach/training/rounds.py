"""The epochs gone over again until the level is reached, and what ends a run."""

import math
from copy import copy
from typing import Any

from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback

from unteach.training.config import UnlearningConfig

NEAR = 0.02  # how much likelier than under the teacher the forget answers may stay


def repeated(args: UnlearningConfig) -> UnlearningConfig:
    """The arguments with the epochs of all rounds; others than those given, which stay."""
    if (args.rounds or 1) == 1:
        return args
    args = copy(args)
    args.num_train_epochs = (args.num_train_epochs or 0) * (args.rounds or 1)
    return args


def in_rounds(scheduler: Any, steps: int) -> Any:
    """The schedule begun anew every so many steps.

    Args:
        scheduler: a LambdaLR, made for one round.
        steps: of a round.
    """
    if not isinstance(scheduler, LambdaLR):
        return scheduler
    made: Any = scheduler
    made.lr_lambdas = [lambda step, each=each: each(step % steps) for each in made.lr_lambdas]
    return scheduler


class KeepOrder(TrainerCallback):
    """Keeps the order of the epoch, and the step to stop at."""

    def __init__(self, trainer: Any):
        self.trainer = trainer

    def on_epoch_begin(self, args, state, control, **kwargs):
        """Set the order of the epoch.

        A run of several processes that goes on within an epoch would take the first one's order:
        the epoch does not get through accelerate's two wrappers.
        """
        self.trainer.order.set_epoch(int(state.epoch + 1e-6))

    def on_step_end(self, args, state, control, **kwargs):
        """Stop at the level that was asked for, and at the end of a round at the teacher's."""
        if self.trainer.monitor.done() or ends_for_good(self.trainer, state):
            control.should_training_stop = True


def ends_for_good(trainer: Any, state: Any) -> bool:
    """Whether a round ends at this step, and none follows since the teacher's level is reached.

    The same is asked of a checkpoint that a run goes on from.
    """
    rounds = trainer.args.rounds or 1
    if trainer.level is None or rounds == 1:
        return False
    ends = state.global_step % math.ceil(state.max_steps / rounds) == 0
    return ends and trainer.monitor.reached(trainer.level, NEAR)
