"""Generate answers by greedy decoding or sampling."""

from typing import Any

import torch
from transformers import PreTrainedModel

from unteach.inference.queue import PromptQueue, QueuedPrompt
from unteach.progress import ProgressCallback


@torch.inference_mode()
def greedy(
    model: PreTrainedModel,
    prompts: list[tuple[int, ...]],
    *,
    limits: list[int],
    end: list[int],
    tokens_per_batch: int = 8192,
    shared: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[list[int]]:
    """Greedy decoding, batched and left-padded; the model's own generation config is not used.

    Args:
        model: in evaluation mode.
        prompts: token ids, in any order and of any lengths.
        limits: maximum number of new tokens for each prompt.
        end: token ids that end an answer; they are not returned.
        tokens_per_batch: padded tokens of one batch, the limits of the answers included.
        shared: split the batches over all processes; each must call this with the same arguments.
        progress: called with the number of prompts done.

    Returns:
        The new token ids of each prompt. In float32 they do not depend on batching.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> model = GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1)).eval()
        >>> [len(ids) <= 3 for ids in greedy(model, [(5, 6), (7,)], limits=[3, 3], end=[1])]
        [True, True]
    """
    queue = PromptQueue(model, end, {"do_sample": False}, tokens_per_batch, shared)
    return [row.said for row in _generated(queue, prompts, limits, progress)]


@torch.inference_mode()
def greedy_scored(
    model: PreTrainedModel,
    prompts: list[tuple[int, ...]],
    *,
    limits: list[int],
    end: list[int],
    tokens_per_batch: int = 8192,
    shared: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> tuple[list[list[int]], list[list[float]]]:
    """Return what `greedy` returns, and the model's log-probability of each of its tokens, in nats.

    The logits of decoding give them, so that no text is forwarded again; in float32, within
    rounding, they are those of `answer_tokens`.
    """
    settings = {"do_sample": False}
    queue = PromptQueue(model, end, settings, tokens_per_batch, shared=shared, scored=True)
    rows = _generated(queue, prompts, limits, progress)
    return [row.said for row in rows], [list(row.logps) for row in rows]


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
    """Sampled continuations, batched as in `greedy`; the state of torch's generators is restored.

    Args:
        model: in evaluation mode.
        prompts: token ids.
        limits: maximum number of new tokens for each prompt.
        end: token ids that end an answer; they are not returned.
        temperature: of the softmax.
        seed: of the sampling.
        top_p: nucleus sampling: the share of the probability mass that is sampled from.
        tokens_per_batch: padded tokens of one batch, the limits of the answers included.
    """
    settings = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        queue = PromptQueue(model, end, settings, tokens_per_batch)
        rows = _generated(queue, prompts, limits, lambda done, total: None)
        return [row.said for row in rows]


def _generated(
    queue: PromptQueue,
    prompts: list[tuple[int, ...]],
    limits: list[int],
    progress: ProgressCallback,
) -> list[QueuedPrompt]:
    rows = [QueuedPrompt(prompt, limit) for prompt, limit in zip(prompts, limits, strict=True)]
    queue.run(rows, lambda: progress(sum(not row.room for row in rows), len(rows)))
    return rows


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Token ids that end an answer: the eos of the tokenizer and those of the generation config."""
    own = getattr(model.generation_config, "eos_token_id", None)
    ids = [tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
    return sorted({i for i in ids if i is not None})
