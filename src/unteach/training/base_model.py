"""Teach the base model the retain data before it serves as the teacher."""

import math
from typing import Any

from unteach.adapters import merge
from unteach.training.few_steps import prepared, trained
from unteach.training.learning_rate import automatic_rate
from unteach.types import Sequence

BATCH = 4  # retain examples of a step
MOST = 300  # steps; style is learned in a few dozen, and more would be retraining
RANK = 16


def steps_on(retain: list[Sequence], epochs: int) -> int:
    """Return how many steps the base model is trained on the retain data."""
    return min(math.ceil(len(retain) * epochs / BATCH), MOST)


def fine_tuned(base: Any, retain: list[Sequence], *, epochs: int, seed: int) -> Any:
    """Train adapters of the base model on the retain answers, and merge them into it.

    The base model never saw the forget answers, but it also lacks the style of all other
    fine-tuning data. After a few steps on the retain data it is a small version of the retrained
    model.

    Args:
        base: the model before fine-tuning; changed in place.
        retain: tokenised retain examples.
        epochs: passes over them; at most `MOST` steps.
        seed: of the order and of the adapters.
    """
    steps = steps_on(retain, epochs)
    if not steps:
        return base
    rate = automatic_rate(base.config, adapter=True)
    model = prepared(base, lora=True, rank=RANK, seed=seed)
    for _ in trained(model, retain, rate=rate, stops=[steps], batch=BATCH, seed=seed):
        pass
    return merge(model).eval()
