"""Task vector: train on the forget set, then subtract the weight change."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unteach.losses import cross_entropy
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("task-vector")
@dataclass(frozen=True, kw_only=True)
class TaskVector(Method):
    """Train on the forget answers, then subtract the weight change from the original model.

    Needs no retain data, but the right strength: too little does nothing, too much damages other
    knowledge. A model that has memorised the forget set has little left to learn, and so little to
    subtract.
    """

    strength: float = option(1.0, "how much of the change is taken away", above=0)

    paper: ClassVar = Paper(
        title="Editing Models with Task Arithmetic",
        authors="Gabriel Ilharco and Marco Tulio Ribeiro and Mitchell Wortsman and "
        "Suchin Gururangan and Ludwig Schmidt and Hannaneh Hajishirzi and Ali Farhadi",
        year=2022,
        arxiv="2212.04089",
        where="section 4, forgetting via negation",
        venue="ICLR 2023",
    )
    plan: ClassVar = MethodDefaults(retain="none")

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean NLL over all answer tokens: learning, not forgetting."""
        return [Term("forget", cross_entropy(rows.log_odds))]

    def finish(self, start: Tensor, end: Tensor) -> Tensor:
        """Return the initial weight minus `strength` times the change."""
        return start - self.strength * (end - start)
