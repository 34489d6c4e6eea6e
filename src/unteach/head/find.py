"""Find a model's head and final hidden states, and check the head against the model's logits."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from unteach.errors import Problem, UserError
from unteach.head.matrix import Head
from unteach.head.shards import is_matrix, is_sharded, whole

# Gemma 2 and later, RecurrentGemma, xLSTM: cap tanh(z / cap)
SOFTCAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
FACTORS = ("logit_scale", "lm_head_multiplier", "output_multiplier_scale")  # Cohere, Falcon-H1
DIVISORS = ("logits_scaling",)  # Granite


def head_of(model: Any) -> Head:
    """Return the head of a causal language model, read from its modules and its configuration.

    Under autocast on an accelerator, the head multiplies in the autocast dtype. A sharded head is
    gathered, detached from the graph; every process must then call this function.

    Raises:
        UserError: the model has no head, or the head is sharded and not a plain matrix.
    """
    module: Any = model.get_output_embeddings()
    if module is None:
        hint = "take a causal language model whose `get_output_embeddings` gives its head"
        raise UserError(Problem("--model", "has no output embeddings", hint, "request"))
    config = model.config.get_text_config()
    scale = math.prod(_number(config, name) or 1.0 for name in FACTORS)
    scale /= math.prod(_number(config, name) or 1.0 for name in DIVISORS)
    cap = next((c for c in (_number(config, name) for name in SOFTCAPS) if c), None)
    rules: dict[str, Any] = {"scale": scale, "cap": cap}
    saved = getattr(module, "modules_to_save", None)  # peft trains a whole copy of it
    if saved is not None and not getattr(module, "disable_adapters", False):
        module = saved[module.active_adapters[0]]
    if is_matrix(module):
        weight, bias = whole(module.weight), whole(module.bias)
        return Head(weight, bias, **rules).at(autocast_dtype(weight))
    if is_sharded(module.weight):
        hint = "leave the head out of adapter.targets, or start without FSDP and ZeRO-3"
        what = f"is in shards, and its head ({type(module).__name__}) is no plain matrix"
        raise UserError(Problem("--model", what, hint, "request"))
    return Head(module.weight, module=module, **rules)


def _number(config: Any, name: str) -> float | None:
    value = getattr(config, name, None)
    return float(value) if isinstance(value, (int, float)) else None


@contextmanager
def states_only(model: Any, *, logits: bool = False) -> Iterator[list[Tensor]]:
    """Capture the head's input in forward passes inside the context; skip the logits.

    Args:
        model: a causal language model, wrapped or not.
        logits: compute the logits as well.

    Yields:
        A list that holds the final hidden states [B, T, D] of the latest forward pass.
    """
    caught: list[Tensor] = []

    def catch(module: Any, args: tuple) -> tuple | None:
        caught[:] = [args[0]]
        return None if logits else (args[0][:, :0], *args[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(catch)
    try:
        yield caught
    finally:
        handle.remove()


def require_agreement(model: Any, ids: Tensor) -> Head:
    """Return the head after checking that it gives the same logits as the model.

    Args:
        model: in evaluation mode.
        ids: [1, T], tokens of a text; at most sixteen are used.

    Raises:
        UserError: the logits differ: the model processes them by a rule unknown to `Head`.
    """
    head = head_of(model)
    with torch.no_grad(), states_only(model, logits=True) as caught:
        expected = model(input_ids=ids[:, :16], use_cache=False).logits[0]
        logits = head.logits(caught[0][0]) if caught else expected[:0]  # head was not called
    largest = expected.nan_to_num(0, 0, 0).abs().max().clamp(min=1)
    tolerance = TOLERANCE.get(expected.dtype, 2e-2) * largest
    if logits.shape == expected.shape:
        same = (logits == expected) | (logits.isnan() & expected.isnan())  # both may be NaN
        if torch.where(same, 0, (logits - expected).abs()).max() <= tolerance:
            return head
    kind = type(model.get_output_embeddings()).__name__
    what = f"{model.config.model_type}'s logits are not what its head ({kind}, {head}) makes of "
    what += "its final states: it has a rule behind the head that is not known here"
    hint = "tell us its name and the rule; training on guessed logits would be wrong"
    raise UserError(Problem("--model", what, hint))


TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}  # relative to the largest logit


def autocast_dtype(like: Tensor) -> torch.dtype | None:
    """Return the dtype of products under autocast on an accelerator; None elsewhere.

    Autocast is ignored on a CPU, which is slower in half precision.
    """
    kind = like.device.type
    if kind == "cpu" or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)


ON_CPU, ON_ACCELERATOR = 64 << 20, 768 << 20  # bytes of logits


def chunk_rows(head: Head, device: torch.device) -> int:
    """Return how many rows of logits to hold at once.

    The limit is in bytes. On a CPU fewer rows are slower and more rows gain nothing (130 rows at a
    vocabulary of 128,256); an accelerator needs more rows to be fully used.
    """
    budget, least = (ON_CPU, 64) if device.type == "cpu" else (ON_ACCELERATOR, 256)
    return max(budget // (4 * head.vocabulary), least)
