"""Examples of one step, forget and retain together, as one padded batch."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from unteach.methods import Choice
from unteach.nouns import Sequence

FORGET, RETAIN = 0, 1


class Pair(NamedTuple):
    """Numbers of a forget example and of the retain example that goes with it."""

    forget: int
    retain: int | None


Batch = dict[str, Tensor]
"""One padded batch; B answers of T tokens, the forget answers first.

Masks come from lengths: a token is padding because it is past the end, never by its id.

    input_ids, attention_mask   [B, T]
    answer, chosen, ignored     [B, T] bool: answer tokens, and what the method made of them
    group                       [B], FORGET or RETAIN
    index                       [B], number of the example in its group
"""


class Pairs(Dataset):
    """Sequences of both groups, looked up by `Pair`.

    Args:
        forget: what to forget.
        retain: what to keep; may be empty.
        choices: per forget sequence, the tokens that the method singled out.
    """

    def __init__(
        self,
        forget: list[Sequence],
        retain: list[Sequence] | None = None,
        choices: list[Choice] | None = None,
    ):
        self.forget, self.retain, self.choices = forget, retain or [], choices

    def __len__(self) -> int:
        return len(self.forget)

    def __getitem__(self, pair: Pair) -> Pair:
        return pair

    def collate(self, pairs: list[Pair]) -> Batch:
        """The batch of these pairs, right-padded."""
        members = [(FORGET, p.forget) for p in pairs]
        members += [(RETAIN, p.retain) for p in pairs if p.retain is not None]
        sequences = [(self.retain if g else self.forget)[i] for g, i in members]
        choices = [None if g or not self.choices else self.choices[i] for g, i in members]
        batch = pad(sequences)
        shape = batch["answer"].shape
        return batch | {
            "chosen": _marks([c.chosen if c else () for c in choices], shape),
            "ignored": _marks([c.ignored if c else () for c in choices], shape),
            "group": torch.tensor([g for g, _ in members]),
            "index": torch.tensor([i for _, i in members]),
        }


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
