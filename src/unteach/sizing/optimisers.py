"""Estimate the memory of an optimiser's state, and of its step."""

from collections.abc import Iterable
from math import prod

from unteach.sizing.trace import Weight

SMALL = 4096  # elements; bitsandbytes keeps the state of smaller weights in 32 bits
BLOCK = 256  # elements that share a scale


def state_bytes(optim: str, weights: Iterable[Weight]) -> float:
    """Return the bytes of state for all weights; `optim` is the optimiser's name in transformers.

    Example:
        >>> state_bytes("adamw_torch", [Weight((10, 4))])
        324
        >>> state_bytes("adafactor", [Weight((1000, 10))])
        4044
    """
    return sum(_of(optim, weight) for weight in weights)


def known(optim: str) -> bool:
    """Whether the state of an optimiser is known; otherwise AdamW's, the largest, is assumed."""
    return any(part in optim for part in ("adam", "sgd", "adafactor", "lion", "rmsprop", "adagrad"))


def step_bytes(optim: str, weights: Iterable[Weight], *, cpu: bool) -> float:
    """Return the bytes that a step needs in addition to state and gradients."""
    largest = max((weight.numel for weight in weights), default=0)
    if "adafactor" in optim:
        return 8 * largest
    if optim in ("adamw_torch", "adamw_hf") and not cpu:  # all weights at once
        return 4 * sum(weight.numel for weight in weights)
    return 8 * largest if optim in ("adamw_torch", "adamw_hf") else 0


def _of(optim: str, weight: Weight) -> float:
    numbers = weight.numel
    if optim == "sgd":
        return 0
    if "adafactor" in optim:
        rows, columns = weight[:-1], (*weight[:-2], *weight[-1:])
        return 4 * (prod(rows) + prod(columns) if len(weight) > 1 else numbers) + 4
    moments = 1 if any(name in optim for name in ("lion", "rmsprop", "adagrad")) else 2
    if ("8bit" in optim or "bnb" in optim) and not weight.embedding and numbers >= SMALL:
        return moments * numbers * (1 + 4 / BLOCK)
    return 4 * moments * numbers + (4 if "torch" in optim else 0)  # with the step counter
