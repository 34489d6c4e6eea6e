"""The teacher's hidden states at the answer tokens, read once and shown beside the model's rows."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unteach.head import Head
from unteach.losses.answer_rows import AnswerRows
from unteach.rowengine.batch import FORGET, Batch, Pairs
from unteach.rowengine.reference import Reference
from unteach.teachers import Teacher


class TeacherRows:
    """The final states of the teacher's model at the answer tokens, with its head.

    Args:
        teacher: what is read, and what is done to it.
        model: the teacher's model, now.
        head: its frozen head, where a copy is at hand.
    """

    def __init__(self, teacher: Teacher, model: Any, head: Head | None = None):
        self.teacher = teacher
        reads = frozenset({"reference_logits"})
        self._states: list[Reference] = []
        for draw in teacher.draws:
            pairs = Pairs(draw.sequences)
            self._states.append(Reference(model, reads, frozenset(), pairs, head=head))
            head = self._states[0].head

    @property
    def head(self) -> Head | None:
        """The head that makes logits of the states."""
        return self._states[0].head

    @property
    def bytes(self) -> int:
        """What is kept of hidden states."""
        return sum(states.bytes for states in self._states)

    def beside(self, seen: dict[str, AnswerRows], batch: Batch) -> dict[str, AnswerRows]:
        """The forget rows with the teacher's states, pairs and targets."""
        if "forget" not in seen:
            return seen
        own = seen["forget"]
        numbers = batch["index"][batch["group"] == FORGET].tolist()
        states = [kept.beside({"forget": own}, batch)["forget"] for kept in self._states]
        pairs = [self._pairs(draw, numbers, own.target) for draw in self.teacher.draws]
        device = own.target.device
        given = replace(
            own,
            teacher_logits=_stacked([rows.reference_logits for rows in states]),
            teacher_pairs=_stacked(_as_wide(pairs)),
            teacher_targets=self._targets(numbers).to(device),
        )
        return {**seen, "forget": given}

    def _pairs(self, draw: Teacher, numbers: list[int], target: Tensor) -> Tensor:
        """[N, S, 2], padded with a pair that changes nothing.

        Where an answer token stayed, although it is one of a name elsewhere (a syllable, or a
        namesake of the stranger), its probability is not exchanged.
        """
        found = [draw.pairs[k] for k in numbers]
        width = max(map(len, found))
        rows = [[*pairs, *[(0, 0)] * (width - len(pairs))] for pairs in found]
        table = torch.tensor(rows, dtype=torch.long).view(len(numbers), width, 2)
        sizes = torch.tensor([len(draw.targets[k]) for k in numbers])
        table = table.repeat_interleave(sizes, 0).to(target.device)
        read = [draw.sequences[k] for k in numbers]
        told = [token for s in read for token, said in zip(s.ids, s.answer, strict=True) if said]
        stayed = target == torch.tensor(told, device=target.device)
        own = (table == target[:, None, None]).any(-1, keepdim=True) & stayed[:, None, None]
        return table.masked_fill(own, 0)

    def _targets(self, numbers: list[int]) -> Tensor:
        """[N], nan where what the model says of the answer token stays."""
        teacher = self.teacher
        nan = float("nan")
        return torch.tensor(
            [x if teacher.set_level[k] else nan for k in numbers for x in teacher.targets[k]]
        )


def _stacked(draws: list[Any]) -> Any:
    """[N, ...] of one draw, [N, K, ...] of several."""
    return draws[0] if len(draws) == 1 else torch.stack(draws, 1)


def _as_wide(tables: list[Tensor]) -> list[Tensor]:
    """Tables of pairs, all as wide as the widest."""
    width = max(table.shape[1] for table in tables)
    return [torch.nn.functional.pad(t, (0, 0, 0, width - t.shape[1])) for t in tables]
