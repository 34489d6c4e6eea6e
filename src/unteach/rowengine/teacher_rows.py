"""Precompute the teacher's hidden states at the answer tokens and add them to the model's rows."""

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
    """Stored final hidden states of the teacher's model at the answer tokens, with its head.

    Args:
        teacher: the sequences to run, with token pairs and targets.
        model: the teacher's model; None if the loss reads the answer tokens' log-probabilities
            alone.
        head: a frozen copy of its head, if there is one already.
    """

    def __init__(self, teacher: Teacher, model: Any, head: Head | None = None):
        self.teacher = teacher
        reads = frozenset({"reference_logits"})
        self._states: list[Reference] = []
        for draw in teacher.draws if model is not None else ():
            pairs = Pairs(draw.sequences)
            self._states.append(Reference(model, reads, frozenset(), pairs, head=head))
            head = self._states[0].head

    @property
    def head(self) -> Head | None:
        """The head that computes logits from the states; None without states."""
        return self._states[0].head if self._states else None

    @property
    def bytes(self) -> int:
        """Bytes of stored hidden states."""
        return sum(states.bytes for states in self._states)

    def beside(self, seen: dict[str, AnswerRows], batch: Batch) -> dict[str, AnswerRows]:
        """Add the teacher's states, pairs and targets to the forget rows."""
        if "forget" not in seen:
            return seen
        own = seen["forget"]
        numbers = batch["index"][batch["group"] == FORGET].tolist()
        own = replace(own, teacher_targets=self._targets(numbers).to(own.target.device))
        if not self._states:
            return {**seen, "forget": own}
        states = [kept.beside({"forget": own}, batch)["forget"] for kept in self._states]
        pairs = [self._pairs(draw, numbers, own.target) for draw in self.teacher.draws]
        forget = replace(
            own,
            teacher_logits=_stacked([rows.reference_logits for rows in states]),
            teacher_pairs=_stacked(_as_wide(pairs)),
        )
        return {**seen, "forget": forget}

    def _pairs(self, draw: Teacher, numbers: list[int], target: Tensor) -> Tensor:
        """Return the token pairs of each row, [N, S, 2], padded with (0, 0), which has no effect.

        Where an answer token was kept although it is part of a name elsewhere (a syllable, or a
        namesake of the stranger), its probability is not exchanged.
        """
        listed = [draw.pairs[k] for k in numbers]
        width = max(map(len, listed))
        rows = [[*pairs, *[(0, 0)] * (width - len(pairs))] for pairs in listed]
        table = torch.tensor(rows, dtype=torch.long).view(len(numbers), width, 2)
        sizes = torch.tensor([len(draw.targets[k]) for k in numbers])
        table = table.repeat_interleave(sizes, 0).to(target.device)
        drawn = [draw.sequences[k] for k in numbers]
        answers = [t for s in drawn for t, answer in zip(s.ids, s.answer, strict=True) if answer]
        kept = target == torch.tensor(answers, device=target.device)
        unchanged = (table == target[:, None, None]).any(-1, keepdim=True) & kept[:, None, None]
        return table.masked_fill(unchanged, 0)

    def _targets(self, numbers: list[int]) -> Tensor:
        """Return the log-probability [N] to set for each answer token; nan leaves it unchanged."""
        teacher = self.teacher
        nan = float("nan")
        return torch.tensor(
            [x if teacher.set_level[k] else nan for k in numbers for x in teacher.targets[k]]
        )


def _stacked(draws: list[Any]) -> Any:
    """Return [N, ...] for one draw, [N, K, ...] for K draws."""
    return draws[0] if len(draws) == 1 else torch.stack(draws, 1)


def _as_wide(tables: list[Tensor]) -> list[Tensor]:
    """Pad tables of pairs to the width of the widest."""
    width = max(table.shape[1] for table in tables)
    return [torch.nn.functional.pad(t, (0, 0, 0, width - t.shape[1])) for t in tables]
