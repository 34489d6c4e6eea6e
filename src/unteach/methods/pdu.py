"""PDU: equalise the logits on forget answers, under a constraint on the retain loss."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import flattening
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, method, option
from unteach.types import Paper


@method("pdu")
@dataclass(frozen=True, kw_only=True)
class PDU(Method):
    """Equalise the forget answers' logits, subject to an upper bound on the retain loss.

    The retain term's weight is the dual variable: after each step it grows by the amount of the
    step's retain loss above the bound, and shrinks if it is below, but not under 0. The bound is
    (1 + tolerance) times the retain loss of the original model.
    """

    tolerance: float = option(0.5, "how much the retain loss may rise, as a share", low=0)
    dual_rate: float = option(1.0, "how fast the retain term's weight moves", above=0)

    paper: ClassVar = Paper(
        title="Constrained Entropic Unlearning: A Primal-Dual Framework for Large Language Models",
        authors="Taha Entesari and Arman Hatami and Rinat Khaziev and Anil Ramakrishna and "
        "Mahyar Fazlyab",
        year=2025,
        arxiv="2506.05314",
        where="logit-margin flattening, and the primal-dual algorithm",
    )

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens."""
        return [Term("forget", flattening(rows.require_logits()))]

    def reweigh(self, weight: float, retain: float, before: float) -> float:
        """One step of dual ascent."""
        return max(0.0, weight + self.dual_rate * (retain - (1 + self.tolerance) * before))
