"""Gradient difference: ascent on forget, descent on retain."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import TOFU_SETTINGS, Method, MethodDefaults, method
from unteach.types import Paper


@method("graddiff")
@dataclass(frozen=True, kw_only=True)
class GradDiff(Method):
    """Gradient ascent on the forget answers with ordinary training on the retain answers."""

    paper: ClassVar = Paper(
        title="Continual Learning and Private Unlearning",
        authors="Bo Liu and Qiang Liu and Peter Stone",
        year=2022,
        arxiv="2203.12817",
        where="the gradient-difference baseline; as TOFU (arXiv 2401.06121, section 3.2) uses it",
        venue="CoLLAs 2022",
    )
    plan: ClassVar = MethodDefaults(power=1, stop_at=0.1, rate_at_2048=2e-5)
    paper_settings: ClassVar = TOFU_SETTINGS | {"train.stop_at": 0.0}

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of log p over all answer tokens."""
        return [Term("forget", ascent(rows.log_odds))]
