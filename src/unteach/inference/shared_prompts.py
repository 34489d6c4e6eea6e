"""Forward each shared prompt once and score its answers from copies of its KV cache."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unteach.head import Head, states_only
from unteach.inference.batches import left_padded, right_padded
from unteach.inference.budget import answering_tokens
from unteach.inference.caches import copied, forward
from unteach.inference.prompts import batches_by_prompt, prompt_length
from unteach.types import Sequence


@dataclass
class SharedPromptReader:
    """Batches texts by prompt and forwards each prompt once.

    Attributes:
        worth: minimum share of tokens that must be saved, otherwise texts are forwarded in full: a
            second forward and copies of the cache take time too.
        prompts: number of prompts forwarded so far, on this process.
    """

    worth: float = 0.25
    prompts: int = 0

    def batches(
        self, model: Any, texts: list[Sequence], tokens_per_batch: int
    ) -> tuple[list[list[int]], set[int]]:
        """Batches of text indices, and the set of indices that `answer_rows` is for."""
        room = answering_tokens(model, tokens_per_batch)
        return batches_by_prompt(texts, tokens_per_batch, room=room, worth=self.worth)

    def answer_rows(
        self, model: Any, texts: list[Sequence], head: Head | None
    ) -> tuple[Tensor, Tensor]:
        """The result of `rows.answer_rows`, for a batch of texts with few distinct prompts.

        Args:
            model: in evaluation mode.
            texts: one batch.
            head: the model's head, whose input is returned.
        """
        assert head is not None, "the logits of whole texts are not made here"
        device = model.device
        cut = [(text, prompt_length(text)) for text in texts]
        prompts = [text.ids[:n] for text, n in cut]
        numbers = {prompt: k for k, prompt in enumerate(dict.fromkeys(prompts))}
        self.prompts += len(numbers)
        which = torch.tensor([numbers[prompt] for prompt in prompts], device=device)
        ends = [text.ids[n:] for text, n in cut]
        masks: list[tuple[int, ...]] = [text.answer[n:] for text, n in cut]
        ids, answer = right_padded(ends, device), right_padded(masks, device).bool()
        attention = right_padded([(1,) * len(end) for end in ends], device)
        states = _states(model, left_padded(list(numbers), device), which, ids, attention)
        return states[:, :-1][answer], ids[answer]


def _states(
    model: Any, prompts: tuple[Tensor, Tensor], which: Tensor, ids: Tensor, attention: Tensor
) -> Tensor:
    """Hidden states [N, 1 + A, D]: of the prompt's last token and of all tokens after it."""
    with states_only(model) as caught:
        out = forward(model, *prompts)
        last, cache = caught[0][:, -1:], copied(out.past_key_values, which)
        forward(model, ids, torch.cat([prompts[1][which], attention], 1), cache)
    return torch.cat([last[which], caught[0]], 1)
