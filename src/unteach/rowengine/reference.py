"""Precompute what the loss reads of the reference model, before the first training step.

At that point the policy still is the reference model: new adapters change nothing, and FILA's
subtract from the base weights what they add. One number is stored per answer, or the final hidden
states of the rows that the loss will read, together with a frozen copy of the head.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import Tensor

from unteach.head import Head, head_of, require_agreement, states_only
from unteach.inference import answer_tokens, batches_by_length
from unteach.inference.store import HiddenStateStore
from unteach.losses.answer_rows import AnswerRows
from unteach.losses.replay import REPLAY_READS
from unteach.rowengine.batch import ALTERNATE, FORGET, REPLAY, RETAIN, Batch, Pairs, pad
from unteach.rowengine.forward import inputs_of
from unteach.rowengine.rows import prompt_mask
from unteach.types import Sequence

TOKENS = 4096  # padded tokens per forward pass


class Reference:
    """Stored log-probabilities and hidden states of the reference model.

    Args:
        policy: the model before training, with adapters or without.
        forget: what the forget term reads: "reference_logits", "reference_logps", "prompt", ...
        retain: what the retain term reads.
        pairs: the sequences of all groups.
        drawn: indices of the retain examples that training will use; None for all.
        replayed: likewise of the replay examples.
        layer: index of the layer for "reference_hidden".
        head: a frozen copy of the policy's head, if there is one already.
    """

    def __init__(
        self,
        policy: Any,
        forget: frozenset[str],
        retain: frozenset[str],
        pairs: Pairs,
        *,
        drawn: Collection[int] | None = None,
        replayed: Collection[int] | None = None,
        layer: int | None = None,
        head: Head | None = None,
    ):
        drawn = range(len(pairs.retain)) if drawn is None else sorted(drawn)
        replayed = range(len(pairs.replay)) if replayed is None else sorted(replayed)
        replay = REPLAY_READS if pairs.replay else frozenset[str]()
        texts: dict[int, dict[int, Sequence]] = {
            FORGET: dict(enumerate(pairs.forget)),
            ALTERNATE: dict(enumerate(pairs.alternates)),
            RETAIN: {i: pairs.retain[i] for i in drawn},
            REPLAY: {i: pairs.replay[i] for i in replayed},
        }
        logits, hidden = "reference_logits", "reference_hidden"
        also = {"prompts"} if "prompt" in forget and logits in forget else set()
        wanted = {
            FORGET: _kinds(forget, {logits: "answers", hidden: "hidden"}) | also,
            ALTERNATE: _kinds(forget, {logits: "answers"}),
            RETAIN: _kinds(retain, {logits: "answers", hidden: "hidden"}),
            REPLAY: _kinds(replay, {logits: "answers"}),
        }
        self._logps: dict[int, Tensor] = {}
        self._stores: dict[tuple[int, str], HiddenStateStore] = {}
        self.head: Head | None = None
        with _evaluating(policy):
            if "reference_logps" in forget:
                for group in (FORGET, ALTERNATE):
                    self._logps[group] = answer_logps(policy, list(texts[group].values()))
            if logits in forget | retain | replay:
                self.head = head or head_of(policy).frozen()
            for group, kinds in wanted.items():
                if kinds and texts[group]:
                    self._keep(policy, group, texts[group], kinds, layer)

    @property
    def bytes(self) -> int:
        """Bytes of stored hidden states."""
        return sum(store.bytes for store in self._stores.values())

    def logps(self, batch: Batch) -> Tensor | None:
        """Return log-probabilities [B] of the batch's forget answers, in nats."""
        return self._of(FORGET, batch)

    def alternate_logps(self, batch: Batch) -> Tensor | None:
        """Return log-probabilities [B] of the alternates to the batch's forget answers, in nats."""
        return self._of(ALTERNATE, batch)

    def beside(self, seen: dict[str, AnswerRows], batch: Batch) -> dict[str, AnswerRows]:
        """Add the stored hidden states to the rows; `reference_logits` then hold final states."""
        groups = {}
        for name, group in (("forget", FORGET), ("retain", RETAIN), ("replay", REPLAY)):
            if name in seen:
                own = self._beside(seen[name], batch, group, "answers")
                if own.alternate is not None:
                    other = self._beside(own.alternate, batch, ALTERNATE, "answers")
                    own = replace(own, alternate=other)
                if own.prompt is not None:
                    own = replace(own, prompt=self._beside(own.prompt, batch, group, "prompts"))
                groups[name] = own
        return groups

    def _beside(self, seen: AnswerRows, batch: Batch, group: int, kind: str) -> AnswerRows:
        rows = {}
        for name, place in (("reference_logits", kind), ("reference_hidden", "hidden")):
            store = self._stores.get((group, place))
            if store is not None:
                numbers = batch["index"][batch["group"] == group].tolist()
                rows[name] = store.rows(numbers).to(seen.target.device)
        return replace(seen, **rows)

    def _of(self, group: int, batch: Batch) -> Tensor | None:
        if group not in self._logps or not len(self._logps[group]):
            return None
        index = batch["index"][batch["group"] == FORGET]
        return self._logps[group].to(index.device)[index]

    @torch.no_grad()
    def _keep(
        self,
        policy: Any,
        group: int,
        texts: dict[int, Sequence],
        kinds: set[str],
        layer: int | None,
    ) -> None:
        """Run the model over a group, longest texts first, split over processes; store the rows."""
        state, numbers = PartialState(), list(texts)
        cuts = batches_by_length([len(texts[i].ids) for i in numbers], TOKENS)
        batches = [[numbers[k] for k in members] for members in cuts]
        own: dict[int, dict[str, Tensor]] = {}
        for start in range(0, len(batches), state.num_processes):
            # A sharded model needs all processes in each forward; the last round may be short.
            k = min(start + state.process_index, len(batches) - 1)
            own[k] = _rows(policy, [texts[i] for i in batches[k]], kinds, layer)
            if state.num_processes == 1:
                self._put(group, texts, batches[k], own.pop(k))
        for k in range(len(batches)) if state.num_processes > 1 else ():
            share = [own.pop(k, None)]
            broadcast_object_list(share, from_process=k % state.num_processes)
            self._put(group, texts, batches[k], share[0])  # type: ignore[arg-type]

    def _put(
        self, group: int, texts: dict[int, Sequence], members: list[int], rows: dict[str, Tensor]
    ) -> None:
        for kind, states in rows.items():
            sizes = {i: _size(texts[i], kind) for i in texts}
            if (group, kind) not in self._stores:
                self._stores[group, kind] = HiddenStateStore(sizes, states.shape[-1], states.dtype)
            parts = states.split([sizes[i] for i in members])
            for number, part in zip(members, parts, strict=True):
                self._stores[group, kind].put(number, part)


def agreed_head(policy: Any, pairs: Pairs) -> str:
    """Check the policy's head and describe it in words. Raises UserError if it is unknown."""
    text = min((s for s in pairs.forget if any(s.answer)), key=lambda s: len(s.ids))
    with _evaluating(policy):
        ids = torch.tensor([text.ids], device=policy.device)
        return str(require_agreement(policy, ids))


def answer_logps(model: Any, sequences: list[Sequence]) -> Tensor:
    """Return the log-probability [B] of each answer, in nats; identical on every process."""
    logps = [[sum(a.logps) for a in answer_tokens(model, sequences)]]
    if PartialState().num_processes > 1:
        broadcast_object_list(logps)
    return torch.tensor(logps[0])


def mean_nll(model: Any, sequences: list[Sequence]) -> float:
    """Return the mean NLL per answer token, in nats."""
    with _evaluating(model):
        total = answer_logps(model, sequences).sum().item()
    return -total / max(sum(sum(s.answer) for s in sequences), 1)


def _kinds(reads: frozenset[str], kinds: dict[str, str]) -> set[str]:
    return {kind for read, kind in kinds.items() if read in reads}


def _rows(model: Any, texts: list[Sequence], kinds: set[str], layer: int | None) -> dict:
    """Return hidden states [N, D] of each kind, in the row order of `rows_by_group`."""
    batch = {name: value.to(model.device) for name, value in pad(texts).items()}
    with states_only(model) as caught:
        output = model(**inputs_of(batch), output_hidden_states="hidden" in kinds)
    answer = batch["answer"][:, 1:]
    states = {
        "answers": caught[0][:, :-1][answer],
        "prompts": caught[0][:, :-1][prompt_mask(batch)],
    }
    if "hidden" in kinds:
        assert layer is not None
        states["hidden"] = output.hidden_states[layer + 1][:, 1:][answer]
    return {kind: states[kind].cpu() for kind in sorted(kinds)}


def _size(text: Sequence, kind: str) -> int:
    answers = sum(text.answer[1:])
    return len(text.ids) - 1 - answers if kind == "prompts" else answers


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
