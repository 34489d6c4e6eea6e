"""A model's head and final states, found by its modules, its configuration and by asking."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from unteach.errors import Problem, UserError
from unteach.head.matrix import Head
from unteach.head.shards import in_shards, is_matrix, whole

# Gemma 2 and later, RecurrentGemma, xLSTM: cap tanh(z / cap)
SOFTCAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
FACTORS = ("logit_scale", "lm_head_multiplier", "output_multiplier_scale")  # Cohere, Falcon-H1
DIVISORS = ("logits_scaling",)  # Granite


def head_of(model: Any) -> Head:
    """The head of a causal language model, by its modules and its configuration.

    Under autocast on an accelerator it multiplies in what that says. Where it lies in shards it is
    put together, without a graph; all processes must come here then.

    Raises:
        UserError: the model has none, or it is in shards and no matrix.
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
    if in_shards(module.weight):
        hint = "leave the head out of adapter.targets, or start without FSDP and ZeRO-3"
        what = f"is in shards, and its head ({type(module).__name__}) is no plain matrix"
        raise UserError(Problem("--model", what, hint, "request"))
    return Head(module.weight, module=module, **rules)


def _number(config: Any, name: str) -> float | None:
    value = getattr(config, name, None)
    return float(value) if isinstance(value, (int, float)) else None


@contextmanager
def states_only(model: Any, *, logits: bool = False) -> Iterator[list[Tensor]]:
    """Within, forwards of the model leave the head's input here and give logits of no position.

    Args:
        model: a causal language model, wrapped or not.
        logits: let the head do its work all the same.
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
    """The head, once it gives the logits that the model itself gives.

    Args:
        model: in evaluation mode.
        ids: [1, T], tokens of a text; at most sixteen are looked at.

    Raises:
        UserError: the model does more behind its head than is known here.
    """
    head = head_of(model)
    with torch.no_grad(), states_only(model, logits=True) as caught:
        expected = model(input_ids=ids[:, :16], use_cache=False).logits[0]
        found = head.logits(caught[0][0]) if caught else expected[:0]  # it is not called
    rough = ROUGH.get(expected.dtype, 2e-2) * expected.nan_to_num(0, 0, 0).abs().max().clamp(min=1)
    if found.shape == expected.shape:
        same = (found == expected) | (found.isnan() & expected.isnan())  # broken alike
        if torch.where(same, 0, (found - expected).abs()).max() <= rough:
            return head
    kind = type(model.get_output_embeddings()).__name__
    what = f"{model.config.model_type}'s logits are not what its head ({kind}, {head}) makes of "
    what += "its final states: it has a rule behind the head that is not known here"
    hint = "tell us its name and the rule; training on guessed logits would be wrong"
    raise UserError(Problem("--model", what, hint))


ROUGH = {torch.float64: 1e-9, torch.float32: 1e-3}  # of the largest logit


def autocast_dtype(like: Tensor) -> torch.dtype | None:
    """What products are in under autocast on an accelerator; None elsewhere.

    A CPU takes longer in half precision, so there autocast changes nothing here.
    """
    kind = like.device.type
    if kind == "cpu" or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)


ON_CPU, ON_ACCELERATOR = 64 << 20, 768 << 20  # bytes of logits


def chunk_rows(head: Head, device: torch.device) -> int:
    """How many rows of logits are held at once.

    By bytes: on a CPU fewer rows take longer and more gain nothing (130 at a vocabulary of
    128,256); an accelerator needs more to be busy.
    """
    budget, least = (ON_CPU, 64) if device.type == "cpu" else (ON_ACCELERATOR, 256)
    return max(budget // (4 * head.vocabulary), least)
