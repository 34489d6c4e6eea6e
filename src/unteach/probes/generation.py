"""Answers of a model's own, greedy or sampled."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel

from unteach.probes.batches import Progress, batches_by_length, left_padded


@torch.inference_mode()
def greedy(
    model: PreTrainedModel,
    prompts: list[tuple[int, ...]],
    *,
    limits: list[int],
    end: list[int],
    tokens_per_batch: int = 4096,
    progress: Progress = lambda done, total: None,
) -> list[list[int]]:
    """Greedy continuations, batched and left-padded; the model's sampling settings are not used.

    Args:
        model: in evaluation mode.
        prompts: token ids.
        limits: the most new tokens for each prompt.
        end: token ids that end an answer; they are not part of what comes back.
        tokens_per_batch: padded tokens of one batch, the answers' limit included.
        progress: told how many prompts are done.
    """
    settings = {"do_sample": False}
    return _continued(model, prompts, limits, end, settings, tokens_per_batch, progress)


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
    tokens_per_batch: int = 4096,
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
        return _continued(model, prompts, limits, end, settings, tokens_per_batch)


def _continued(
    model: PreTrainedModel,
    prompts: list[tuple[int, ...]],
    limits: list[int],
    end: list[int],
    settings: dict,
    tokens_per_batch: int,
    progress: Progress = lambda done, total: None,
) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in prompts]
    done = 0
    sizes = [len(p) + limit for p, limit in zip(prompts, limits, strict=True)]
    for members in batches_by_length(sizes, tokens_per_batch):
        longest = max(limits[i] for i in members)
        ids, attention = left_padded([prompts[i] for i in members], model.device)
        with _plain_generation(model, end):
            config = GenerationConfig(
                **settings, max_new_tokens=longest, eos_token_id=end, pad_token_id=end[0]
            )
            out = model.generate(  # type: ignore[operator]
                input_ids=ids, attention_mask=attention, generation_config=config
            )
        for i, new in zip(members, out[:, ids.shape[1] :].tolist(), strict=True):
            found[i] = _until(new, set(end))[: limits[i]]
        done += len(members)
        progress(done, len(prompts))
    return found


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Token ids that end an answer: the tokenizer's eos and the model's own."""
    own = getattr(model.generation_config, "eos_token_id", None)
    ids = [tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
    return sorted({i for i in ids if i is not None})


@contextmanager
def _plain_generation(model: PreTrainedModel, end: list[int]) -> Iterator[None]:
    """Set the model's own settings aside: transformers fills gaps of ours from them."""
    own = model.generation_config
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end[0])
    try:
        yield
    finally:
        model.generation_config = own


def _until(ids: list[int], end: set[int]) -> list[int]:
    return ids[: next((k for k, token in enumerate(ids) if token in end), len(ids))]
