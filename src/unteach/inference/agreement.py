"""Check that a model gives the same scores when a shared prompt is forwarded only once."""

import math
from typing import Any

import torch

from unteach.inference.caches import NOT_ALIKE, near, takes_cache
from unteach.inference.prompts import prompt_length
from unteach.inference.rows import known_head
from unteach.inference.scoring import answer_tokens
from unteach.inference.shared_prompts import SharedPromptReader
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import together
from unteach.types import Sequence, TokenScores


def reading_once(
    model: Any, texts: list[Sequence], *, tokens_per_batch: int = 4096, shared: bool = False
) -> SharedPromptReader | None:
    """A reader that forwards each shared prompt once; None where that is wrong or saves too little.

    Not every model has a cache whose rows can be copied. A model with a sliding window or its own
    position ids may give other scores for an answer after a padded prompt. So texts with the
    shortest prompt, the longest prompt and the prompt of the longest text are scored both ways and
    compared.

    Args:
        model: in evaluation mode.
        texts: all texts that will be scored.
        tokens_per_batch: padded tokens of one forward, the same as for the scoring itself.
        shared: every process calls this with the same arguments; all get the same decision.
    """
    once = SharedPromptReader()
    _, grouped = once.batches(model, texts, tokens_per_batch)
    if not grouped:
        return None
    sample = _sample([texts[i] for i in sorted(grouped)])

    def agree() -> bool:
        return _agree(model, sample, tokens_per_batch)

    lockstep = in_lockstep(model)
    return once if all(together(agree, lockstep=lockstep) if shared else [agree()]) else None


def _sample(texts: list[Sequence]) -> list[Sequence]:
    """Up to three prompts, each with its shortest and its longest answer."""
    groups: dict[tuple[int, ...], list[Sequence]] = {}
    for text in sorted(texts, key=lambda text: (len(text.ids), text.ids)):
        groups.setdefault(text.ids[: prompt_length(text)], []).append(text)
    prompts = sorted(groups, key=len)
    longest = max(groups, key=lambda prompt: len(groups[prompt][-1].ids))
    chosen = dict.fromkeys([prompts[0], prompts[-1], longest])
    return [text for prompt in chosen for text in groups[prompt][:1] + groups[prompt][1:][-1:]]


def _agree(model: Any, texts: list[Sequence], tokens_per_batch: int) -> bool:
    if not takes_cache(model) or known_head(model, texts) is None:
        return False
    expected = answer_tokens(model, texts, tokens_per_batch=tokens_per_batch)
    once = SharedPromptReader(worth=0)
    try:
        scores = answer_tokens(model, texts, tokens_per_batch=tokens_per_batch, once=once)
    except NOT_ALIKE as error:
        if isinstance(error, torch.OutOfMemoryError) and in_lockstep(model):
            raise  # perhaps on this device only, and then the other processes wait for it
        return False
    # A share of the root mean square of the log-probabilities, at least of 1 nat.
    tolerance = near(model.dtype) * max(1.0, _root_mean_square(expected))
    return once.prompts > 0 and _root_mean_square(expected, scores) <= tolerance


def _root_mean_square(some: list[TokenScores], others: list[TokenScores] | None = None) -> float:
    """Root mean square of log-probabilities, or of the differences to others; nan if one is nan."""
    values = [x for one in some for x in one.logps]
    if others is not None:
        values = [a - b for a, b in zip(values, (x for o in others for x in o.logps), strict=True)]
    return math.sqrt(sum(x * x for x in values) / len(values))
