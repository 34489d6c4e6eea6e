"""A few steps of training on given texts, with a stop here and there to ask the model."""

from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from unteach.inference.batches import right_padded
from unteach.types import Sequence

CLIP = 1.0


def trained(
    model: Any,
    texts: list[Sequence],
    *,
    rate: float,
    stops: list[int],
    batch: int,
    seed: int,
) -> Iterator[int]:
    """Train on the answer tokens of texts by AdamW, and come back at each stop.

    The mean is over the answer tokens of a step; the rate is constant, there is no weight decay,
    and the gradient's norm is cut at 1. Each text is read once before any is read again.

    Args:
        model: trained in place; what is frozen stays. In evaluation mode at each stop.
        texts: what to learn.
        rate: learning rate.
        stops: numbers of steps, rising.
        batch: texts of a step.
        seed: of the order.

    Yields:
        The number of steps done, at each stop.
    """
    if not texts:
        return
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    order, random = list[int](), Random(seed)
    for step in range(1, max(stops) + 1):
        while len(order) < batch:
            order += random.sample(range(len(texts)), len(texts))
        members, order = order[:batch], order[batch:]
        model.train()
        loss = _loss(model, [texts[i] for i in members])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        optimiser.step()
        if step in stops:
            model.eval()
            yield step


def _loss(model: Any, texts: list[Sequence]) -> torch.Tensor:
    device = next(model.parameters()).device
    ids = right_padded([text.ids for text in texts], device)
    answer = right_padded([text.answer for text in texts], device).bool()
    attention = right_padded([(1,) * len(text.ids) for text in texts], device)
    logits = model(input_ids=ids, attention_mask=attention).logits[:, :-1]
    return cross_entropy(logits[answer[:, 1:]].float(), ids[:, 1:][answer[:, 1:]])


def prepared(model: Any, *, lora: bool, rank: int, seed: int) -> Any:
    """A model that can be trained: adapters on its linear layers, or all weights in float32."""
    from unteach.adapters import LoraSettings, add_lora

    if not lora:
        return model.float().requires_grad_(True)
    model.requires_grad_(False)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # adapters start by chance, the same for every model
        return add_lora(model, LoraSettings(rank=rank))
