"""Forward the tokens that all prompts of a batch begin with once, for every row of the batch."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from unteach.head import states_only
from unteach.inference.batches import left_padded
from unteach.inference.caches import (
    NOT_ALIKE,
    arguments,
    copied,
    depends_on_length,
    forward,
    near,
    takes_cache,
)
from unteach.processes.lockstep import in_lockstep

Prompt = tuple[int, ...]
Prefilled = tuple[Tensor, Tensor, DynamicCache | None]
"""Token ids [B, T], attention mask [B, T], and the cache of the first columns or None."""

LEAST = 512  # tokens that must be saved: a forward of its own and a copy of its cache cost as much
WORTH = 0.2  # share of the prompts' tokens that must be saved


def common_prefix(prompts: list[Prompt]) -> int:
    """Return the number of tokens that all prompts begin with; one of each prompt is left over.

    Example:
        >>> common_prefix([(5, 6, 7, 8), (5, 6, 9)]), common_prefix([(5, 6), (5, 6)])
        (2, 1)
    """
    first, last = min(prompts), max(prompts)  # in alphabetical order these two differ soonest
    pairs = enumerate(zip(first, last, strict=False))
    alike = next((k for k, (a, b) in pairs if a != b), len(first))
    return max(min(alike, min(map(len, prompts)) - 1), 0)


@torch.no_grad()
def prefilled(model: Any, prompts: list[Prompt], *, least: int = LEAST) -> Prefilled:
    """Return a batch for `generate`, behind a cache of the common prefix where that saves enough.

    The padding stands between the prefix and the rest of a prompt. Not every model can have it
    there, so the shortest and the longest prompt are forwarded both ways once for each model.

    Args:
        model: in evaluation mode.
        prompts: the rows of one batch.
        least: fewest tokens to be saved.
    """
    shared = common_prefix(prompts)
    saved = shared * (len(prompts) - 1)
    if saved >= max(least, WORTH * sum(map(len, prompts))) and _may_share(model, prompts, shared):
        return _behind_prefix(model, prompts, shared)
    return *left_padded(prompts, model.device), None


def _behind_prefix(model: Any, prompts: list[Prompt], shared: int) -> Prefilled:
    prefix = torch.tensor([prompts[0][:shared]], device=model.device)
    seen = torch.ones_like(prefix)
    with states_only(model):
        out = forward(model, prefix, seen)
    rows = len(prompts)
    every = torch.zeros(rows, dtype=torch.long, device=model.device)
    cache = copied(out.past_key_values, every, windows=False)
    ids, attention = left_padded([prompt[shared:] for prompt in prompts], model.device)
    whole = torch.cat([prefix.expand(rows, -1), ids], 1)
    return whole, torch.cat([seen.expand(rows, -1), attention], 1), cache


AGREED: WeakKeyDictionary[Any, dict[bool, bool]] = WeakKeyDictionary()
"""By model, and whether there was padding: whether both ways gave the same logits."""


def _may_share(model: Any, prompts: list[Prompt], shared: int) -> bool:
    pair = [min(prompts, key=len), max(prompts, key=len)]
    padded = len(pair[0]) < len(pair[1])
    known = AGREED.setdefault(model, {})
    if padded not in known:
        known[padded] = _usable(model) and _agrees(model, pair, shared)
    return known[padded]


def _usable(model: Any) -> bool:
    """Not where processes go in step, nor where rotary embeddings depend on the text's length."""
    return takes_cache(model) and not (in_lockstep(model) or depends_on_length(model))


def _agrees(model: Any, pair: list[Prompt], shared: int) -> bool:
    try:
        whole = _next_logits(model, *left_padded(pair, model.device), None)
        found = _next_logits(model, *_behind_prefix(model, pair, shared))
    except NOT_ALIKE:
        return False
    most = near(model.dtype) * max(1.0, float(whole.abs().max()))
    return float((found - whole).abs().max()) <= most


def _next_logits(model: Any, ids: Tensor, attention: Tensor, cache: DynamicCache | None) -> Tensor:
    """Return the logits [B, V] that follow the last column, in float32 or better."""
    new = ids.shape[1] - (cache.get_seq_length() if cache else 0)
    given = {"logits_to_keep": 1} if "logits_to_keep" in arguments(model) else {}
    out = forward(model, ids[:, -new:], attention, cache, **given)
    logits = out.logits[:, -1]
    return logits if logits.dtype == torch.float64 else logits.float()
