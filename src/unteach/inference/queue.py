"""Generate from a queue of prompts: finished rows leave a batch, its last rows are batched anew."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import (
    Cache,
    GenerationConfig,
    LogitsProcessor,
    PreTrainedModel,
    StoppingCriteria,
)

from unteach.inference.batches import batches_by_length, left_padded
from unteach.inference.caches import arguments
from unteach.inference.prefixes import Prefilled, prefilled
from unteach.processes.lockstep import FollowMainProcess, in_lockstep
from unteach.processes.share import by_batches, speaks


class QueuedPrompt:
    """A prompt, the tokens generated so far, and how many more may follow (`room`).

    `logps` are the log-probabilities of the generated tokens, where the queue takes them down.
    """

    def __init__(self, prompt: tuple[int, ...], limit: int):
        self.ids, self.room, self._start = tuple(prompt), limit, len(prompt)
        self.logps: tuple[float, ...] = ()

    @property
    def said(self) -> list[int]:
        """The new token ids, without the end token."""
        return list(self.ids[self._start :])

    @property
    def state(self) -> tuple[tuple[int, ...], int, tuple[float, ...]]:
        """All that generation changes."""
        return self.ids, self.room, self.logps

    def become(self, ids: tuple[int, ...], room: int, logps: tuple[float, ...]) -> None:
        """Take over the state that another process computed."""
        self.ids, self.room, self.logps = ids, room, logps

    def take(self, new: list[int], end: list[int], logps: Iterable[float] = ()) -> None:
        """Append new tokens up to an end token, after which no room is left."""
        new = new[: self.room]
        stop = next((k for k, token in enumerate(new) if token in end), None)
        self.ids += tuple(new[:stop])
        self.logps += tuple(logps)[: len(new[:stop])]
        self.room = self.room - len(new) if stop is None else 0


@dataclass
class PromptQueue:
    """Generates from prompts of any lengths, a batch at a time.

    A plain batch runs until its last row ends, and an unlearned model often does not end its
    answers. So finished rows are dropped from the batch and its cache, a quarter at a time. The
    last eighth of the rows go back to the queue and are batched with other leftovers. This leaves
    few steps with few rows, which helps on a GPU: a step there costs the same for any number.

    Attributes:
        model: in evaluation mode.
        end: token ids that end an answer.
        settings: arguments of `GenerationConfig` that decide how a token is chosen.
        tokens_per_batch: padded tokens of one batch, new tokens included.
        shared: split each round of batches over all processes; the batches are the same as with
            one process.
        scored: take down the log-probability of each generated token (greedy decoding only).
    """

    model: PreTrainedModel
    end: list[int]
    settings: dict[str, Any]
    tokens_per_batch: int
    shared: bool = False
    scored: bool = False

    def __post_init__(self):
        self._drops = "past_key_values" in arguments(self.model)  # not so in Mamba
        self._lockstep = in_lockstep(self.model)
        as_main = self._lockstep and not self.settings["do_sample"]
        self._processors = [FollowMainProcess()] if as_main else []

    def run(self, rows: list[QueuedPrompt], told: Callable[[], None] = lambda: None) -> None:
        """Generate until no row has room; calls `told` after each batch."""
        waiting = [row for row in rows if row.room > 0]
        while waiting:
            self._round(waiting, self._batches(waiting), told)
            if speaks(shared=self.shared):
                told()
            waiting = [row for row in waiting if row.room]

    def _round(
        self, rows: list[QueuedPrompt], batches: list[list[int]], told: Callable[[], None]
    ) -> None:
        """Run each batch once; with several batches, the last rows of each are left over."""

        def generate(members: list[int]) -> list[tuple]:
            batch = [rows[i] for i in members]
            self._continue(batch, len(batch) // 8 if len(batches) > 1 else 0)
            return [row.state for row in batch]

        states = by_batches(
            batches,
            generate,
            shared=self.shared,
            lockstep=self._lockstep,
            progress=lambda *_: told(),
        )
        for row, state in zip(rows, states, strict=True):
            row.become(*state)

    def _batches(self, rows: list[QueuedPrompt]) -> list[list[int]]:
        lengths, rooms = [len(row.ids) for row in rows], [row.room for row in rows]
        return list(batches_by_length(lengths, self.tokens_per_batch, more=rooms))

    def _continue(self, rows: list[QueuedPrompt], leave: int) -> None:
        """Generate until at most `leave` rows have room."""
        ids, attention, prefix = self._prefilled([row.ids for row in rows])
        cache = {} if prefix is None else {"past_key_values": prefix}
        while True:
            enough = max(1, len(rows) // 4) if self._drops else len(rows) - leave
            best = [GreatestLogps()] if self.scored else []
            out = self._generate(ids, attention, [row.room for row in rows], enough, cache, best)
            logps = best[0].by_row() if best else [()] * len(rows)
            new = out.sequences[:, ids.shape[1] :].tolist()
            for row, tokens, each in zip(rows, new, logps, strict=True):
                row.take(tokens, self.end, each)
            kept = [k for k, row in enumerate(rows) if row.room]
            # Not every model returns a cache that rows can leave; then the rows are read again.
            self._drops &= isinstance(getattr(out, "past_key_values", None), Cache)
            if len(kept) <= leave or not self._drops:
                return
            rows, index = [rows[k] for k in kept], torch.tensor(kept, device=ids.device)
            out.past_key_values.reorder_cache(index)
            cache = {"past_key_values": out.past_key_values}
            attention = pad(attention, (0, out.sequences.shape[1] - ids.shape[1]), value=1)[index]
            ids = out.sequences[index]

    def _prefilled(self, prompts: list[tuple[int, ...]]) -> Prefilled:
        if self._drops:
            return prefilled(self.model, prompts)
        return *left_padded(prompts, self.model.device), None

    def _generate(
        self,
        ids: Tensor,
        attention: Tensor,
        rooms: list[int],
        enough: int,
        cache: dict,
        processors: list,
    ) -> Any:
        config = GenerationConfig(
            **self.settings,
            max_new_tokens=max(rooms),
            eos_token_id=self.end,
            pad_token_id=self.end[0],
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
                logits_processor=[*self._processors, *processors],
                **cache,
            )


class GreatestLogps(LogitsProcessor):
    """Takes down the log-probability of each row's most likely token, which greedy decoding takes.

    The logits stay as they are.
    """

    def __init__(self):
        self.steps: list[Tensor] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Note one step, from logits [B, V]; does not synchronize with the device."""
        self.steps.append(scores.amax(-1) - scores.logsumexp(-1))
        return scores

    def by_row(self) -> list[list[float]]:
        """The log-probabilities of each row, by step."""
        return torch.stack(self.steps, 1).tolist()


class RowStoppingCriteria(StoppingCriteria):
    """Stops a row at its own limit or an end token, and all rows once enough have stopped.

    Args:
        widths: [B], maximum number of tokens of each row, padding and prompt included.
        end: token ids that end an answer.
        enough: number of stopped rows at which all stop.
    """

    def __init__(self, widths: Tensor, end: list[int], enough: int):
        self.widths, self.enough = widths, enough
        self.end = torch.tensor(end, device=widths.device)
        self.ended = torch.zeros_like(widths, dtype=torch.bool)

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        """[B], which rows have stopped; does not synchronize with the device."""
        self.ended |= torch.isin(input_ids[:, -1], self.end) | (input_ids.shape[1] >= self.widths)
        return self.ended | (self.ended.sum() >= self.enough)


@contextmanager
def _plain_generation(model: PreTrainedModel, end: list[int]) -> Iterator[None]:
    """Replace the model's generation config: transformers fills our unset values from it."""
    own = model.generation_config
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end[0])
    try:
        yield
    finally:
        model.generation_config = own
