"""Forward tokens behind copies of a key-value cache, on models that allow it."""

from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

NOT_ALIKE = (TypeError, ValueError, RuntimeError, AttributeError, IndexError)
"""What a model raises that has another kind of cache, or takes no cache or position ids."""

NEAR = {torch.float64: 1e-9, torch.float32: 1e-4}


def near(dtype: torch.dtype, *, in_half: float = 0.02) -> float:
    """Return the share of a number by which two ways to compute it may differ."""
    return NEAR.get(dtype, in_half)


def arguments(model: Any) -> Any:
    """Return the parameters of the base model's `forward`."""
    bare = getattr(model, "get_base_model", lambda: model)()
    return signature(bare.forward).parameters


def takes_cache(model: Any) -> bool:
    """Whether a model takes a cache, and no virtual tokens would shift our position ids."""
    adapters = getattr(model, "peft_config", {}).values()
    virtual = any(adapter.is_prompt_learning for adapter in adapters)
    return "past_key_values" in arguments(model) and not virtual


def depends_on_length(model: Any) -> bool:
    """Whether a token's rotary embedding depends on the longest text of the batch."""
    ropes = {str(getattr(module, "rope_type", "")) for module in model.modules()}
    return bool(ropes & {"dynamic", "longrope"})


def forward(
    model: Any, ids: Tensor, attention: Tensor, cache: DynamicCache | None = None, **more: Any
) -> Any:
    """Forward the last columns of a batch; return the model's output with its cache.

    Args:
        model: in evaluation mode.
        ids: token ids [B, T].
        attention: mask [B, C + T], with the C columns that are in the cache.
        cache: of these columns; None where there are none.
        more: further arguments of the model.
    """
    given = {**more, **positions(model, attention, ids.shape[1])}
    if cache is not None:
        given["past_key_values"] = cache
    return model(input_ids=ids, attention_mask=attention, use_cache=True, **given)


def positions(model: Any, attention: Tensor, last: int) -> dict[str, Tensor]:
    """Return position ids of the `last` columns, from 0 in each text; empty if it takes none."""
    if "position_ids" not in arguments(model):
        return {}
    places = (attention.cumsum(1) - 1).clamp(min=0)
    return {"position_ids": places[:, -last:]}


def require_copyable(cache: Any, *, windows: bool = True) -> DynamicCache:
    """Return a cache if its rows can be copied. Raises TypeError for any other.

    Args:
        cache: as a model returned it.
        windows: whether layers with a sliding window will do.
    """
    known = (DynamicLayer, DynamicSlidingWindowLayer) if windows else (DynamicLayer,)
    if type(cache) is not DynamicCache or not all(type(x) in known for x in cache.layers):
        raise TypeError("a cache whose rows cannot be copied")
    return cache


def copied(cache: Any, rows: Tensor, *, windows: bool = True) -> DynamicCache:
    """Take these rows of a cache, each as often as it is named. Raises TypeError."""
    require_copyable(cache, windows=windows).reorder_cache(rows)  # type: ignore[arg-type]
    return cache
