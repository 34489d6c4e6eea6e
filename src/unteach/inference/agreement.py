"""Whether reading prompts once is right for a model: some of the texts are scored both ways."""

import math
from typing import Any

import torch

from unteach.inference.prompts import prompt_length
from unteach.inference.rows import known_head
from unteach.inference.scoring import AnswerLogps, answer_tokens
from unteach.inference.shared_prompts import SharedPromptReader, arguments
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import together
from unteach.types import Sequence

# Of the root mean square of log-probabilities, or of 1 nat where that is less.
NEAR = {torch.float64: 1e-9, torch.float32: 1e-4}
NEAR_IN_HALF = 0.02


def reading_once(
    model: Any, texts: list[Sequence], *, tokens_per_batch: int = 4096, shared: bool = False
) -> SharedPromptReader | None:
    """How `answer_tokens` reads each prompt once; None where that is not right or saves too little.

    Not every model has a cache whose rows can be copied, and one that looks back over a window or
    counts positions in its own way may read an answer behind padded prompts otherwise. So texts
    with the shortest prompt and the longest, and with that of the longest text, are scored both
    ways.

    Args:
        model: in evaluation mode.
        texts: all that will be scored.
        tokens_per_batch: as they will be scored with.
        shared: all processes come here with the same, and decide alike.
    """
    once = SharedPromptReader()
    _, grouped = once.batches(model, texts, tokens_per_batch)
    if not grouped:
        return None
    few = _few([texts[i] for i in sorted(grouped)])

    def agree() -> bool:
        return _agree(model, few, tokens_per_batch)

    lockstep = in_lockstep(model)
    return once if all(together(agree, lockstep=lockstep) if shared else [agree()]) else None


def _few(texts: list[Sequence]) -> list[Sequence]:
    """Of up to three prompts the shortest answer and the longest."""
    groups: dict[tuple[int, ...], list[Sequence]] = {}
    for text in sorted(texts, key=lambda text: (len(text.ids), text.ids)):
        groups.setdefault(text.ids[: prompt_length(text)], []).append(text)
    prompts = sorted(groups, key=len)
    longest = max(groups, key=lambda prompt: len(groups[prompt][-1].ids))
    chosen = dict.fromkeys([prompts[0], prompts[-1], longest])
    return [text for prompt in chosen for text in groups[prompt][:1] + groups[prompt][1:][-1:]]


def _agree(model: Any, texts: list[Sequence], tokens_per_batch: int) -> bool:
    if any(adapter.is_prompt_learning for adapter in getattr(model, "peft_config", {}).values()):
        return False  # its own tokens before each text leave no room for our positions
    if known_head(model, texts) is None or "past_key_values" not in arguments(model):
        return False
    whole = answer_tokens(model, texts, tokens_per_batch=tokens_per_batch)
    once = SharedPromptReader(worth=0)
    try:
        found = answer_tokens(model, texts, tokens_per_batch=tokens_per_batch, once=once)
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        if isinstance(error, torch.OutOfMemoryError) and in_lockstep(model):
            raise  # on this device alone, perhaps, and the others wait for it
        return False  # a cache of another kind, or a model without such arguments
    near = NEAR.get(model.dtype, NEAR_IN_HALF) * max(1.0, _root_mean_square(whole))
    return once.prompts > 0 and _root_mean_square(whole, found) <= near


def _root_mean_square(some: list[AnswerLogps], others: list[AnswerLogps] | None = None) -> float:
    """Of log-probabilities, or of their differences; not a number where one of them is none."""
    found = [x for one in some for x in one.logps]
    if others is not None:
        found = [a - b for a, b in zip(found, (x for o in others for x in o.logps), strict=True)]
    return math.sqrt(sum(x * x for x in found) / len(found))
