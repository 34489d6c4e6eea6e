"""Examples of one step, forget and retain together, as one padded batch."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from unteach.methods import Selection
from unteach.types import Sequence

FORGET, RETAIN, ALTERNATE = 0, 1, 2


class Pair(NamedTuple):
    """Numbers of a forget example and of the retain example that goes with it.

    A spare one counts for nothing: it gives a process a batch where there are too few for all.
    """

    forget: int
    retain: int | None
    spare: bool = False


Lengths = tuple[list[int], list[int]]
"""Tokens of each forget and of each retain example."""

Batch = dict[str, Tensor]
"""One padded batch; B answers of T tokens: forget, alternate answers in the same order, retain.

Masks come from lengths: a token is padding because it is past the end, never by its id.

    input_ids, attention_mask   [B, T]
    answer, chosen, ignored     [B, T] bool: answer tokens, and what the method made of them
    refusal                     [B, T], the refusal's tokens repeated along each forget answer
    group                       [B], FORGET, RETAIN or ALTERNATE
    index                       [B], number of the example in its group
    spare                       [B] bool, of all or of none: whether the batch counts for nothing
"""


class Pairs(Dataset):
    """Sequences of both groups, looked up by `Pair`.

    Args:
        forget: what to forget.
        retain: what to keep; may be empty.
        choices: per forget sequence, the tokens that the method singled out.
        alternates: per forget sequence, another answer to the same prompt.
        refusal: token ids of a refusal.
    """

    def __init__(
        self,
        forget: list[Sequence],
        retain: list[Sequence] | None = None,
        choices: list[Selection] | None = None,
        alternates: list[Sequence] | None = None,
        refusal: tuple[int, ...] = (),
    ):
        self.forget, self.retain, self.choices = forget, retain or [], choices
        self.alternates, self.refusal = alternates or [], refusal

    def __len__(self) -> int:
        return len(self.forget)

    def __getitem__(self, pair: Pair) -> Pair:
        return pair

    def lengths(self) -> Lengths:
        """Tokens of each; of a forget example with two answers, the longer."""
        forget, retain = ([len(s.ids) for s in group] for group in (self.forget, self.retain))
        alternates = [len(s.ids) for s in self.alternates] or forget
        return [max(two) for two in zip(forget, alternates, strict=True)], retain

    def collate(self, pairs: list[Pair]) -> Batch:
        """The batch of these pairs, right-padded; of spare ones where there are no others."""
        spare = all(p.spare for p in pairs)
        pairs = pairs[:1] if spare else [p for p in pairs if not p.spare]
        members = [(FORGET, p.forget) for p in pairs]
        members += [(ALTERNATE, p.forget) for p in pairs if self.alternates]
        members += [(RETAIN, p.retain) for p in pairs if p.retain is not None]
        source = {FORGET: self.forget, RETAIN: self.retain, ALTERNATE: self.alternates}
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
    """The members of some groups, as they stand."""
    members = torch.isin(batch["group"], torch.tensor(sorted(groups), device=batch["group"].device))
    return {name: value[members] for name, value in batch.items()}


def pad(sequences: list[Sequence]) -> dict[str, Tensor]:
    """Right-padded `input_ids`, `attention_mask` and `answer` of some sequences."""
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
    """The tokens over and over, from the first answer token to the last; 0 elsewhere."""
    if not tokens:
        return torch.zeros_like(answer, dtype=torch.long)
    place = (answer.cumsum(1) - 1).clamp(min=0) % len(tokens)
    return torch.tensor(tokens)[place] * answer
