"""WGA: gradient ascent weighted by each token's probability."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import weighted_ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("wga")
@dataclass(frozen=True, kw_only=True)
class WGA(Method):
    """Gradient ascent weighted by each token's probability, so that it fades with forgetting.

    The weight is p^beta, without gradient. Plain ascent has its largest gradients on tokens that
    are forgotten already, and these damage other knowledge.
    """

    beta: float = option(1.0, "power of the weight; 0 is plain ascent", low=0)

    paper: ClassVar = Paper(
        title="Rethinking LLM Unlearning Objectives: A Gradient Perspective and Go Beyond",
        authors="Qizhou Wang and Jin Peng Zhou and Zhanke Zhou and Saebyeol Shin and Bo Han and "
        "Kilian Q. Weinberger",
        year=2025,
        arxiv="2502.19301",
        where="the weighted gradient ascent objective",
        venue="ICLR 2025",
    )
    plan: ClassVar = MethodDefaults(power=1)

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens."""
        return [Term("forget", weighted_ascent(rows.log_odds, beta=self.beta))]
