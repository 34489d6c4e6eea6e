"""SimNPO: NPO without a reference, on the mean log-probability of an answer."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import simnpo
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("simnpo")
@dataclass(frozen=True, kw_only=True)
class SimNPO(Method):
    """NPO without a reference model, on each answer's mean log-probability per token.

    NPO stops at a distance from the reference, so the best-known answers are forgotten least.
    SimNPO stops at the same likelihood for all, and long answers weigh no more than short ones. The
    retain term has weight 8: the inverse of the authors' 0.125 on the forget term.
    """

    beta: float = option(4.5, "how soon a forgotten answer stops pushing", above=0)
    margin: float = option(0.0, "how far below log-probability 0 it must be (gamma)", low=0)

    paper: ClassVar = Paper(
        title="Simplicity Prevails: Rethinking Negative Preference Optimization for LLM Unlearning",
        authors="Chongyu Fan and Jiancheng Liu and Licong Lin and Jinghan Jia and Ruiqi Zhang and "
        "Song Mei and Sijia Liu",
        year=2024,
        arxiv="2410.07163",
        where="equation 4; beta 4.5 and weight 0.125 as for TOFU forget10",
        venue="NeurIPS 2025",
    )
    plan: ClassVar = MethodDefaults(retain_weight=8.0, rate_at_2048=5e-5)

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over answers."""
        values = simnpo(rows.logps, rows.lengths, beta=self.beta, margin=self.margin)
        return [Term("forget", values, "answers")]
