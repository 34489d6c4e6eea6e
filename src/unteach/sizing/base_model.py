"""Estimate the memory of reading the base model, and of its few steps on the retain file."""

from dataclasses import replace

from unteach.methods import build
from unteach.sizing.optimisers import state_bytes, step_bytes
from unteach.sizing.parts import FLOAT, Moment, Parts
from unteach.sizing.setting import SizeSettings
from unteach.sizing.trace import TracedModel, traced
from unteach.training.base_model import BATCH, RANK

OPTIM = "adamw_torch"  # as in training.few_steps


def base_moments(setting: SizeSettings) -> list[Moment]:
    """Return the stages before the model is loaded; none without a base model.

    The base model is taken to have the model's shape. Each process reads it whole.
    """
    if setting.base is None:
        return []
    few = _few_steps(setting)
    found = traced(few)
    weights = {"weights": found.weights(few.weight_dtype.itemsize)}
    moments = [Moment("reading the base", weights | {"a forward without gradients": found.scan})]
    if setting.base == "taught":
        standing = weights | {
            "adapters": found.adapters,
            "optimiser state": state_bytes(OPTIM, found.trained),
        }
        work = step_bytes(OPTIM, found.trained, cpu=setting.cpu)
        moments += [
            Moment("teaching the base", standing | _logits(few, found)),
            Moment(
                "teaching the base, optimiser step",
                standing | {"gradients": FLOAT * found.moved, "the optimiser's work": work},
            ),
        ]
    return moments


def _few_steps(setting: SizeSettings) -> SizeSettings:
    """The setting of the steps: adapters, four retain texts, all in the model's own precision."""
    return replace(
        setting, method=build("ascent", {}), retain="none", replay=False, lora=True, rank=RANK,
        targets="all-linear", bits=None, batch=BATCH, pairs=BATCH, checkpointing=False,
        autocast=False, sharding="none", processes=1, sam=False, padded=True,
    )  # fmt: skip


def _logits(setting: SizeSettings, found: TracedModel) -> Parts:
    """Activations, and the logits of whole texts: where the loss is computed, or its gradient.

    The loss takes the answers' logits out of all, widens them to float32 and normalises them. Its
    gradient is put back among zeros twice: among those of all answers, and of all tokens.
    """
    vocabulary = found.head[0]
    every = BATCH * setting.length * vocabulary * found.state_bytes
    rows = BATCH * min(setting.answers, setting.length - 1) * vocabulary
    narrow = rows * found.state_bytes if found.state_bytes < FLOAT else 0
    computed = every + narrow + 2 * FLOAT * rows
    return {"activations": found.kept, "logits of whole texts": max(computed, 2 * every)}
