"""SatImp: ascent weighted by saturation and importance."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import satimp
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("satimp")
@dataclass(frozen=True, kw_only=True)
class SatImp(Method):
    """Gradient ascent weighted by saturation and importance of each token.

    The weight is p^saturation (1 - p)^importance, without gradient: the first factor is small for
    forgotten (saturated) tokens, the second for nearly certain ones, which contribute little to an
    answer's loss. The retain term has weight 0.1, as in the authors' code.
    """

    saturation: float = option(5.0, "power of p (beta 1)", low=0)
    importance: float = option(1.0, "power of 1 - p (beta 2)", low=0)

    paper: ClassVar = Paper(
        title="Exploring Criteria of Loss Reweighting to Enhance LLM Unlearning",
        authors="Puning Yang and Qizhou Wang and Zhuo Huang and Tongliang Liu and "
        "Chengqi Zhang and Bo Han",
        year=2025,
        arxiv="2505.11953",
        where="section 5, SatImp",
        venue="ICML 2025",
    )
    plan: ClassVar = MethodDefaults(retain_weight=0.1)

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens."""
        values = satimp(rows.log_odds, saturation=self.saturation, importance=self.importance)
        return [Term("forget", values)]
