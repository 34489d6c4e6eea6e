"""The queue of prompts: rows that have ended leave their batch, its last ones wait for company."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, GenerationConfig, PreTrainedModel, StoppingCriteria

from unteach.inference.batches import batches_by_length, left_padded
from unteach.processes.lockstep import FollowMainProcess, in_lockstep
from unteach.processes.share import by_batches, speaks

# Rows cannot leave a static cache, whose shape is its point, and attention reads its empty places
# too: slower on CPUs. On GPUs transformers compiles steps on it; when that pays is not measured.
CacheKind = Literal["dynamic", "static"]


class QueuedPrompt:
    """A prompt, what was said to it so far, and how many tokens may still be said."""

    def __init__(self, prompt: tuple[int, ...], limit: int):
        self.ids, self.room, self._start = tuple(prompt), limit, len(prompt)

    @property
    def said(self) -> list[int]:
        """The new tokens, without the one that ended them."""
        return list(self.ids[self._start :])

    def become(self, ids: tuple[int, ...], room: int) -> None:
        """Take over what another process has made of it."""
        self.ids, self.room = ids, room

    def take(self, new: list[int], end: list[int]) -> None:
        """Add what was said next; an end token leaves no room."""
        new = new[: self.room]
        stop = next((k for k, token in enumerate(new) if token in end), None)
        self.ids += tuple(new[:stop])
        self.room = self.room - len(new) if stop is None else 0


@dataclass
class PromptQueue:
    """Continues rows of any lengths, a batch at a time.

    A batch would run until its last row ends, and a model that was made to forget often does not
    end. So rows that have ended are dropped from the batch and its cache, a quarter at a time.
    The last eighth go back to the queue and are read again in a batch of their kind, so that steps
    with few rows are few: the fewer, the better for a GPU, where a step costs the same for all.

    Attributes:
        model: in evaluation mode.
        end: token ids that end an answer.
        settings: of `GenerationConfig`: how a token is chosen.
        tokens_per_batch: padded tokens of one batch, those to come included.
        cache: see `greedy`.
        shared: deal each round of batches out to all processes: the batches stay those of one.
    """

    model: PreTrainedModel
    end: list[int]
    settings: dict[str, Any]
    tokens_per_batch: int
    cache: CacheKind = "dynamic"
    shared: bool = False

    def __post_init__(self):
        bare = getattr(self.model, "get_base_model", lambda: self.model)()
        named = "past_key_values" in signature(bare.forward).parameters  # not so in Mamba
        self._drops = named and self.cache == "dynamic"
        self._lockstep = in_lockstep(self.model)
        as_main = self._lockstep and not self.settings["do_sample"]
        self._processors = [FollowMainProcess()] if as_main else []
        self._size = 0

    def run(self, rows: list[QueuedPrompt], told: Callable[[], None] = lambda: None) -> None:
        """Until no row has room; tells after each batch."""
        waiting = [row for row in rows if row.room > 0]
        while waiting:
            self._round(waiting, self._batches(waiting), told)
            if speaks(shared=self.shared):
                told()
            waiting = [row for row in waiting if row.room]

    def _round(
        self, rows: list[QueuedPrompt], batches: list[list[int]], told: Callable[[], None]
    ) -> None:
        """Each batch once, its last rows left over where there is other company for them."""

        def go_on(members: list[int]) -> list[tuple[tuple[int, ...], int]]:
            batch = [rows[i] for i in members]
            self._continue(batch, len(batch) // 8 if len(batches) > 1 else 0)
            return [(row.ids, row.room) for row in batch]

        made = by_batches(
            batches,
            go_on,
            shared=self.shared,
            lockstep=self._lockstep,
            progress=lambda *_: told(),
        )
        for row, (ids, room) in zip(rows, made, strict=True):
            row.become(ids, room)

    def _batches(self, rows: list[QueuedPrompt]) -> list[list[int]]:
        lengths, rooms = [len(row.ids) for row in rows], [row.room for row in rows]
        if self.cache == "static":  # a compiled step is compiled again for each new shape
            lengths, rooms = [max(lengths)] * len(rows), [max(rooms)] * len(rows)
        return list(batches_by_length(lengths, self.tokens_per_batch, more=rooms))

    def _continue(self, rows: list[QueuedPrompt], leave: int) -> None:
        """Until at most `leave` rows have room."""
        rows = self._filled(rows)
        ids, attention = left_padded([row.ids for row in rows], self.model.device)
        cache = {}
        while True:
            enough = max(1, len(rows) // 4) if self._drops else len(rows) - leave
            out = self._generate(ids, attention, [row.room for row in rows], enough, cache)
            for row, new in zip(rows, out.sequences[:, ids.shape[1] :].tolist(), strict=True):
                row.take(new, self.end)
            kept = [k for k, row in enumerate(rows) if row.room]
            # Not every model hands out a cache that rows can leave; its rows are read again.
            self._drops &= isinstance(getattr(out, "past_key_values", None), Cache)
            if len(kept) <= leave or not self._drops:
                return
            rows, index = [rows[k] for k in kept], torch.tensor(kept, device=ids.device)
            out.past_key_values.reorder_cache(index)
            cache = {"past_key_values": out.past_key_values}
            attention = pad(attention, (0, out.sequences.shape[1] - ids.shape[1]), value=1)[index]
            ids = out.sequences[index]

    def _filled(self, rows: list[QueuedPrompt]) -> list[QueuedPrompt]:
        """With a static cache, as many rows as the first batch had; the added have no room."""
        if self.cache == "dynamic":
            return rows
        self._size = max(self._size, len(rows))
        return rows + [QueuedPrompt(rows[-1].ids, 0) for _ in range(self._size - len(rows))]

    def _generate(
        self, ids: Tensor, attention: Tensor, rooms: list[int], enough: int, cache: dict
    ) -> Any:
        config = GenerationConfig(
            **self.settings,
            max_new_tokens=max(rooms),
            eos_token_id=self.end,
            pad_token_id=self.end[0],
            cache_implementation=None if self.cache == "dynamic" else "static",
            return_dict_in_generate=True,
        )
        ended = RowStoppingCriteria(
            torch.tensor(rooms, device=ids.device) + ids.shape[1], self.end, enough
        )
        with _plain_generation(self.model, self.end):
            return self.model.generate(  # type: ignore[operator]
                input_ids=ids,
                attention_mask=attention,
                generation_config=config,
                stopping_criteria=[ended],
                logits_processor=self._processors,
                **cache,
            )


class RowStoppingCriteria(StoppingCriteria):
    """Ends a row at its own limit or an end token, and all rows once enough have ended.

    Args:
        widths: [B], how many tokens each row may have, its padding and prompt included.
        end: token ids that end an answer.
        enough: number of rows.
    """

    def __init__(self, widths: Tensor, end: list[int], enough: int):
        self.widths, self.enough = widths, enough
        self.end = torch.tensor(end, device=widths.device)
        self.ended = torch.zeros_like(widths, dtype=torch.bool)

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        """[B], which rows have ended; nothing waits for the device here."""
        self.ended |= torch.isin(input_ids[:, -1], self.end) | (input_ids.shape[1] >= self.widths)
        return self.ended | (self.ended.sum() >= self.enough)


@contextmanager
def _plain_generation(model: PreTrainedModel, end: list[int]) -> Iterator[None]:
    """Set the model's own settings aside: transformers fills gaps of ours from them."""
    own = model.generation_config
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end[0])
    try:
        yield
    finally:
        model.generation_config = own
