"""Collate forget, retain and replay examples into one padded batch."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from unteach.methods import Selection
from unteach.types import Sequence

FORGET, RETAIN, ALTERNATE, REPLAY = 0, 1, 2, 3


class Pair(NamedTuple):
    """Indices of a forget example, and of the retain and the replay example paired with it.

    A spare pair does not count: it fills a process's batch if there are too few pairs for all.
    """

    forget: int
    retain: int | None
    spare: bool = False
    replay: int | None = None


Lengths = tuple[list[int], list[int]]
"""Number of tokens of each forget example and of each retain example."""

Batch = dict[str, Tensor]
"""One padded batch of B sequences of T tokens: forget, alternates in that order, retain, replay.

Masks come from lengths: padding is what is past a sequence's end, whatever its token id.

    input_ids, attention_mask   [B, T]
    answer                      [B, T] bool: answer tokens
    selected, ignored           [B, T] bool: the method's selection
    refusal                     [B, T], the refusal's tokens repeated along each forget answer
    group                       [B], FORGET, RETAIN, ALTERNATE or REPLAY
    index                       [B], index of the example in its group
    spare                       [B] bool, the same for all: whether the batch does not count
"""


class Pairs(Dataset):
    """Dataset of the sequences of all groups, indexed by `Pair`.

    Args:
        forget: forget sequences.
        retain: retain sequences; may be empty.
        choices: per forget sequence, the tokens that the method selected.
        alternates: per forget sequence, another answer to the same prompt.
        refusal: token ids of a refusal.
        replay: sequences of earlier requests, which stay as forgotten as they are.
    """

    def __init__(
        self,
        forget: list[Sequence],
        retain: list[Sequence] | None = None,
        choices: list[Selection] | None = None,
        alternates: list[Sequence] | None = None,
        refusal: tuple[int, ...] = (),
        replay: list[Sequence] | None = None,
    ):
        self.forget, self.retain, self.choices = forget, retain or [], choices
        self.alternates, self.refusal = alternates or [], refusal
        self.replay = replay or []

    def __len__(self) -> int:
        return len(self.forget)

    def __getitem__(self, pair: Pair) -> Pair:
        return pair

    def lengths(self) -> Lengths:
        """Return the token count of each example; the longer one if it has an alternate answer."""
        forget, retain = ([len(s.ids) for s in group] for group in (self.forget, self.retain))
        alternates = [len(s.ids) for s in self.alternates] or forget
        return [max(two) for two in zip(forget, alternates, strict=True)], retain

    def collate(self, pairs: list[Pair]) -> Batch:
        """Return the right-padded batch of these pairs; spare pairs only if there are no others."""
        spare = all(p.spare for p in pairs)
        pairs = pairs[:1] if spare else [p for p in pairs if not p.spare]
        members = [(FORGET, p.forget) for p in pairs]
        members += [(ALTERNATE, p.forget) for p in pairs if self.alternates]
        members += [(RETAIN, p.retain) for p in pairs if p.retain is not None]
        members += [(REPLAY, p.replay) for p in pairs if p.replay is not None]
        source = {FORGET: self.forget, RETAIN: self.retain}
        source |= {ALTERNATE: self.alternates, REPLAY: self.replay}
        choices = [self._choice(group, i) for group, i in members]
        batch = pad([source[group][i] for group, i in members])
        shape = batch["answer"].shape
        return batch | {
            "selected": _marks([c.chosen for c in choices], shape),
            "ignored": _marks([c.ignored for c in choices], shape),
            "refusal": _along(batch["answer"], self.refusal),
            "group": torch.tensor([group for group, _ in members]),
            "index": torch.tensor([i for _, i in members]),
            "spare": torch.full((len(members),), spare),
        }

    def _choice(self, group: int, index: int) -> Selection:
        return self.choices[index] if self.choices and group == FORGET else Selection(frozenset())


def only(batch: Batch, groups: set[int]) -> Batch:
    """Return the batch restricted to some groups, padding unchanged."""
    members = torch.isin(batch["group"], torch.tensor(sorted(groups), device=batch["group"].device))
    return {name: value[members] for name, value in batch.items()}


def pad(sequences: list[Sequence]) -> dict[str, Tensor]:
    """Return right-padded `input_ids`, `attention_mask` and `answer` of the sequences."""
    shape = len(sequences), max(len(s.ids) for s in sequences)
    batch = {
        "input_ids": torch.zeros(shape, dtype=torch.long),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
        "answer": torch.zeros(shape, dtype=torch.bool),
    }
    for row, sequence in enumerate(sequences):
        n = len(sequence.ids)
        batch["input_ids"][row, :n] = torch.tensor(sequence.ids)
        batch["attention_mask"][row, :n] = 1
        batch["answer"][row, :n] = torch.tensor(sequence.answer)
    return batch


def _marks(positions: list, shape: tuple[int, ...] | torch.Size) -> Tensor:
    marks = torch.zeros(shape, dtype=torch.bool)
    for row, chosen in enumerate(positions):
        marks[row, list(chosen)] = True
    return marks


def _along(answer: Tensor, tokens: tuple[int, ...]) -> Tensor:
    """Repeat the tokens from the first answer token to the last; 0 elsewhere."""
    if not tokens:
        return torch.zeros_like(answer, dtype=torch.long)
    place = (answer.cumsum(1) - 1).clamp(min=0) % len(tokens)
    return torch.tensor(tokens)[place] * answer
