"""Compute the loss terms of one micro-batch from its rows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unteach.losses.answer_rows import AnswerRows, NeedsWholeAnswersError, Term
from unteach.losses.replay import REPLAY_READS, replay_term
from unteach.losses.retain import retain_reads, retain_term
from unteach.losses.tokens import ascent
from unteach.methods import Method, forget_terms
from unteach.rowengine.batch import Batch
from unteach.rowengine.chunked_loss import RowGroup
from unteach.rowengine.reference import Reference
from unteach.rowengine.rows import BatchOutput, reduce, restrict, rows_by_group
from unteach.rowengine.teacher_rows import TeacherRows


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The loss to minimise.

    Attributes:
        method: gives the forget terms.
        retain: name of the retain term, or "none".
        weight: of the retain term.
        replay: weight of the term on the replay answers.
        wanted: whether a term is part of this pass.
        watched: whether to compute the forget answers' probabilities.
    """

    method: Method
    retain: str
    weight: float
    replay: float = 0.0
    wanted: Callable[[Term], bool] = lambda term: True
    watched: bool = True


class MicroBatch:
    """One micro-batch: turns final hidden states into groups of rows with their losses.

    Args:
        objective: the loss to minimise.
        batch: the micro-batch.
        counts: answers and tokens of the whole step, as `count` gives them.
        reference: stored values of the reference model.
        teacher: the teacher's rows, for methods that have one.

    Attributes:
        terms: each term's part of the step's loss so far, by name.
        retain: the retain term's part without its weight; None without one.
    """

    def __init__(
        self,
        objective: Objective,
        batch: Batch,
        counts: Tensor,
        reference: Reference,
        teacher: TeacherRows | None = None,
    ):
        self.objective, self.batch, self.counts = objective, batch, counts
        self.reference, self.teacher = reference, teacher
        self.terms: dict[str, Tensor] = {}
        self.retain: Tensor | None = None
        self._logps: Tensor | None = None
        self._lengths: Tensor | None = None

    def groups(self, output: BatchOutput) -> list[RowGroup]:
        """Return the batch's rows with their losses.

        Args:
            output: the model's, with final hidden states in place of logits.
        """
        objective, reads = self.objective, self.objective.method.needs()
        seen = rows_by_group(self.batch, output, prompts="prompt" in reads)
        seen = self.reference.beside(seen, self.batch)
        if self.teacher is not None:
            seen = self.teacher.beside(seen, self.batch)
        groups = []
        if "forget" in seen:
            shown = restrict(
                seen["forget"],
                reads,
                reference_logps=self.reference.logps(self.batch),
                alternate_logps=self.reference.alternate_logps(self.batch),
            )
            groups.append(RowGroup("forget", shown, self._forget))
            if objective.watched:
                ones = torch.ones(len(shown.answer_index), device=shown.answer_index.device)
                self._lengths = shown.answer_sums(ones)
                self._logps = torch.zeros_like(self._lengths)
        if "retain" in seen:
            shown = restrict(seen["retain"], retain_reads(objective.retain))
            groups.append(RowGroup("retain", shown, self._retain))
        if "replay" in seen:
            groups.append(RowGroup("replay", restrict(seen["replay"], REPLAY_READS), self._replay))
        return groups

    def probabilities(self) -> Tensor | None:
        """Return exp of each forget answer's mean log-probability, [B]; None if not watched."""
        if self._logps is None or self._lengths is None:
            return None
        return (self._logps / self._lengths.clamp(min=1)).exp()

    def _forget(self, seen: AnswerRows, first: int) -> Tensor | None:
        terms = forget_terms(self.objective.method, seen)
        loss = self._sum("forget", seen, [t for t in terms if self.objective.wanted(t)])
        if self._logps is not None:
            with torch.no_grad():  # after the terms, which may have cached the statistics
                logps = seen.partial_answer_sums(ascent(seen.log_odds)).to(self._logps.dtype)
            self._logps[first : first + len(logps)] += logps
        return loss

    def _retain(self, seen: AnswerRows, first: int) -> Tensor | None:
        term = retain_term(self.objective.retain, seen, self.objective.weight)
        if not self.objective.wanted(term):
            return None
        share = reduce(term._replace(weight=1.0), "retain", self.counts).detach()
        self.retain = share if self.retain is None else self.retain + share
        return self._sum("retain", seen, [term])

    def _replay(self, seen: AnswerRows, first: int) -> Tensor | None:
        term = replay_term(seen, self.objective.replay)
        return self._sum("replay", seen, [term]) if self.objective.wanted(term) else None

    def _sum(self, group: str, seen: AnswerRows, terms: list[Term]) -> Tensor | None:
        if not seen.whole and any(not _by_row(term) for term in terms):
            raise NeedsWholeAnswersError
        shares = [reduce(term, group, self.counts) for term in terms]
        for term, share in zip(terms, shares, strict=True):
            self.terms[term.name] = self.terms.get(term.name, 0) + share.detach()
        return torch.stack(shares).sum() if shares else None


def _by_row(term: Term) -> bool:
    return term.over != "answers"
