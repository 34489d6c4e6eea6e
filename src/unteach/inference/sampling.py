"""Sample many answers to each prompt; a prompt is processed once, and its cache copied."""

from typing import Any

import torch
from torch import Tensor

from unteach.inference.batches import batches_by_length, left_padded
from unteach.inference.caches import copied, forward
from unteach.inference.generation import sampled
from unteach.processes.share import by_batches
from unteach.progress import ProgressCallback

BATCHES_APART = 10**6  # between the seeds of two prompts; those of temperatures are 1000 apart

Prompt = tuple[tuple[int, ...], int]
"""Token ids of a prompt, and the maximum number of new tokens."""


def samples(
    model: Any,
    prompts: list[Prompt],
    count: int,
    *,
    temperature: float,
    end: list[int],
    seed: int,
    tokens_per_batch: int,
    progress: ProgressCallback = lambda done, total: None,
) -> list[list[list[int]]]:
    """Sample answers to each prompt from the whole distribution at a temperature.

    Args:
        model: a model in evaluation mode.
        prompts: the prompts, without duplicates.
        count: number of answers to each prompt.
        temperature: divisor of the logits.
        end: token ids that end an answer; they are not returned.
        seed: seed; the samples also depend on the order of the prompts and on the batches.
        tokens_per_batch: padded tokens of one batch, new tokens included. Batches are split over
            all processes, each with random numbers of its own, so their number changes nothing.
        progress: called with the number of finished prompts and of all.

    Returns:
        New token ids by prompt and sample.
    """
    lengths, rooms = [len(ids) for ids, _ in prompts], [limit for _, limit in prompts]

    @torch.inference_mode()
    def of_batch(members: list[int]) -> list[list[list[int]]]:
        own = seed + BATCHES_APART * (1 + min(members))
        random = torch.Generator(model.device).manual_seed(own)
        chosen = [prompts[i] for i in members]
        said = _once(model, chosen, count, temperature, end, random)
        if said is None:  # the cache cannot be copied: process the prompt again for each sample
            many = [prompt for prompt in chosen for _ in range(count)]
            said = sampled(
                model, [ids for ids, _ in many], limits=[limit for _, limit in many], end=end,
                temperature=temperature, seed=own, top_p=1.0, tokens_per_batch=tokens_per_batch,
            )  # fmt: skip
        return [said[k * count : (k + 1) * count] for k in range(len(members))]

    batches = batches_by_length(lengths, max(tokens_per_batch // count, 1), more=rooms)
    return by_batches([*batches], of_batch, shared=True, progress=progress)


def _once(
    model: Any, prompts: list[Prompt], count: int, temperature: float, end: list[int], random: Any
) -> list[list[int]] | None:
    """Sample one batch, prompt by prompt; None if the rows of the cache cannot be copied."""
    ids, attention = left_padded([ids for ids, _ in prompts], model.device)
    rows = torch.arange(len(prompts), device=model.device).repeat_interleave(count)
    room = torch.tensor([limit for _, limit in prompts], device=model.device)[rows]
    try:
        out = forward(model, ids, attention)
        cache = copied(out.past_key_values, rows)
    except (TypeError, AttributeError):
        return None
    logits, whole = out.logits[:, -1][rows], attention[rows]
    said: list[list[int]] = [[] for _ in rows]
    alive = torch.arange(len(rows), device=model.device)
    stops = torch.tensor(end, device=model.device)
    while True:
        new = _drawn(logits, temperature, random)
        ended = torch.isin(new, stops)
        for place, token, over in zip(alive.tolist(), new.tolist(), ended.tolist(), strict=True):
            if not over:
                said[place].append(token)
        room = room - 1
        going = (~ended & (room > 0)).nonzero()[:, 0]
        if not len(going):
            return said
        if len(going) < len(alive):  # drop finished rows
            cache.reorder_cache(going)  # type: ignore[arg-type]
            alive, whole, new, room = alive[going], whole[going], new[going], room[going]
        whole = torch.cat([whole, whole.new_ones(len(whole), 1)], 1)
        out = forward(model, new[:, None], whole, cache)
        logits = out.logits[:, -1]


def _drawn(logits: Tensor, temperature: float, random: Any) -> Tensor:
    """Draw one token for each row of logits [B, V]; returns [B]."""
    p = (logits.float() / temperature).softmax(-1)
    return torch.multinomial(p, 1, generator=random)[:, 0]
