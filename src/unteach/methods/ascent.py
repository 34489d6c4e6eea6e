"""Gradient ascent on the forget answers: the plain baseline, which damages the model."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method
from unteach.types import Paper


@method("ascent")
@dataclass(frozen=True, kw_only=True)
class Ascent(Method):
    """Gradient ascent: lower the forget answers' log-probability, without a retain term.

    The loss is unbounded: a token's gradient grows from 0 to 1 as it is forgotten, and the model
    breaks down. Use few epochs, or let `train.stop_at` end training.
    """

    paper: ClassVar = Paper(
        title="Knowledge Unlearning for Mitigating Privacy Risks in Language Models",
        authors="Joel Jang and Dongkeun Yoon and Sohee Yang and Sungmin Cha and Moontae Lee and "
        "Lajanugen Logeswaran and Minjoon Seo",
        year=2022,
        arxiv="2210.01504",
        where="the negated language-modelling loss",
        venue="ACL 2023",
    )
    plan: ClassVar = MethodDefaults(retain="none", power=1, stop_at=0.1)

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of log p over all answer tokens."""
        return [Term("forget", ascent(rows.log_odds))]
