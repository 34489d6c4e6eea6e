"""Answers of a model's own, greedy or sampled."""

from typing import Any

import torch
from transformers import PreTrainedModel

from unteach.inference.queue import CacheKind, PromptQueue, QueuedPrompt
from unteach.progress import ProgressCallback


@torch.inference_mode()
def greedy(
    model: PreTrainedModel,
    prompts: list[tuple[int, ...]],
    *,
    limits: list[int],
    end: list[int],
    tokens_per_batch: int = 8192,
    cache: CacheKind = "dynamic",
    shared: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[list[int]]:
    """Greedy continuations, batched and left-padded; the model's sampling settings are not used.

    Args:
        model: in evaluation mode.
        prompts: token ids, in any order and of any lengths.
        limits: the most new tokens for each prompt.
        end: token ids that end an answer; they are not part of what comes back.
        tokens_per_batch: padded tokens of one batch, the answers' limit included.
        cache: "dynamic" grows, and rows that have ended leave it; "static" keeps the shape of
            every step, which transformers then compiles on a GPU (not tried there).
        shared: deal the batches out to all processes, each of which must come here with the same.
        progress: told how many prompts are done.

    Returns:
        The new token ids of each prompt. In float32 they do not depend on batches or cache.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> model = GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1)).eval()
        >>> [len(ids) <= 3 for ids in greedy(model, [(5, 6), (7,)], limits=[3, 3], end=[1])]
        [True, True]
    """
    queue = PromptQueue(model, end, {"do_sample": False}, tokens_per_batch, cache, shared)
    return _continued(queue, prompts, limits, progress)


@torch.inference_mode()
def sampled(
    model: PreTrainedModel,
    prompts: list[tuple[int, ...]],
    *,
    limits: list[int],
    end: list[int],
    temperature: float,
    seed: int,
    top_p: float = 0.95,
    tokens_per_batch: int = 8192,
) -> list[list[int]]:
    """Sampled continuations, batched as `greedy` ones; the global generators are left as they were.

    Args:
        model: in evaluation mode.
        prompts: token ids.
        limits: the most new tokens for each prompt.
        end: token ids that end an answer; they are not part of what comes back.
        temperature: of the softmax.
        seed: of the draws.
        top_p: share of the probability that is drawn from.
        tokens_per_batch: padded tokens of one batch, the answers' limit included.
    """
    settings = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        queue = PromptQueue(model, end, settings, tokens_per_batch)
        return _continued(queue, prompts, limits, lambda done, total: None)


def _continued(
    queue: PromptQueue,
    prompts: list[tuple[int, ...]],
    limits: list[int],
    progress: ProgressCallback,
) -> list[list[int]]:
    rows = [QueuedPrompt(prompt, limit) for prompt, limit in zip(prompts, limits, strict=True)]
    queue.run(rows, lambda: progress(sum(not row.room for row in rows), len(rows)))
    return [row.said for row in rows]


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Token ids that end an answer: the tokenizer's eos and the model's own."""
    own = getattr(model.generation_config, "eos_token_id", None)
    ids = [tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
    return sorted({i for i in ids if i is not None})
