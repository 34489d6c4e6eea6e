"""Each prompt is read once; its answers go on from copies of what it left in the cache."""

from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from unteach.head import Head, states_only
from unteach.nouns import Sequence
from unteach.probes.batches import left_padded, right_padded
from unteach.probes.budget import answering_tokens
from unteach.probes.prompts import batches_by_prompt, prompt_length

LAYERS = DynamicLayer, DynamicSlidingWindowLayer  # of a cache whose rows can be copied


@dataclass
class Once:
    """How texts are read of which several have the same prompt.

    Attributes:
        worth: the least share of the tokens that is saved, or texts are read whole: a second
            forward and copies of the cache take time too.
        prompts: read so far, on this process.
    """

    worth: float = 0.25
    prompts: int = 0

    def batches(
        self, model: Any, texts: list[Sequence], tokens_per_batch: int
    ) -> tuple[list[list[int]], set[int]]:
        """Numbers of the texts in batches; and of those among them that `answer_rows` is for."""
        room = answering_tokens(model, tokens_per_batch)
        return batches_by_prompt(texts, tokens_per_batch, room=room, worth=self.worth)

    def answer_rows(
        self, model: Any, texts: list[Sequence], head: Head | None
    ) -> tuple[Tensor, Tensor]:
        """As `rows.answer_rows` gives them, of a batch of texts with few prompts.

        Args:
            model: what is asked.
            texts: one batch.
            head: the model's, whose input comes back.
        """
        assert head is not None, "the logits of whole texts are not made here"
        device = model.device
        starts = [prompt_length(text) for text in texts]
        begun = [text.ids[:n] for text, n in zip(texts, starts, strict=True)]
        numbers = {prompt: k for k, prompt in enumerate(dict.fromkeys(begun))}
        self.prompts += len(numbers)
        which = torch.tensor([numbers[prompt] for prompt in begun], device=device)
        ids, attention, answer = (
            right_padded([tuple(map(int, of(text)[n:])) for text, n in parts], device)
            for of in (lambda t: t.ids, lambda t: (1,) * len(t.ids), lambda t: t.answer)
            for parts in [zip(texts, starts, strict=True)]
        )
        states = _states(model, left_padded(list(numbers), device), which, ids, attention)
        return states[:, :-1][answer.bool()], ids[answer.bool()]


def _states(
    model: Any, prompts: tuple[Tensor, Tensor], which: Tensor, ids: Tensor, attention: Tensor
) -> Tensor:
    """[N, 1 + A, D]: the last state of the prompt, which predicts the first token, and the next."""
    with states_only(model) as caught:
        out = model(
            input_ids=prompts[0],
            attention_mask=prompts[1],
            use_cache=True,
            **positions(model, prompts[1], prompts[1]),
        )
        last, cache = caught[0][:, -1:], out.past_key_values
        if type(cache) is not DynamicCache or not all(type(x) in LAYERS for x in cache.layers):
            raise TypeError("a cache whose rows cannot be copied")
        cache.reorder_cache(which)  # type: ignore[arg-type]
        whole = torch.cat([prompts[1][which], attention], 1)
        model(
            input_ids=ids,
            attention_mask=whole,
            past_key_values=cache,
            use_cache=True,
            **positions(model, whole, attention),
        )
    return torch.cat([last[which], caught[0]], 1)


def positions(model: Any, attention: Tensor, of: Tensor) -> dict[str, Tensor]:
    """Positions of the last columns, from 0 in each text, for a model that takes them."""
    if "position_ids" not in arguments(model):
        return {}
    places = (attention.cumsum(1) - 1).clamp(min=0)
    return {"position_ids": places[:, -of.shape[1] :]}


def arguments(model: Any) -> Any:
    """What the model's forward takes, below adapters."""
    bare = getattr(model, "get_base_model", lambda: model)()
    return signature(bare.forward).parameters
