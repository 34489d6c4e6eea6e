"""KL minimisation: gradient ascent on forget, KL to the original model on retain."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import TOFU_SETTINGS, Method, MethodDefaults, method
from unteach.types import Paper


@method("kl-min")
@dataclass(frozen=True, kw_only=True)
class KLMin(Method):
    """Gradient ascent on the forget answers, and KL to the original model on the retain answers.

    Ascent is unbounded and its gradient grows against the KL; `train.stop_at` ends training.
    """

    paper: ClassVar = Paper(
        title="TOFU: A Task of Fictitious Unlearning for LLMs",
        authors="Pratyush Maini and Zhili Feng and Avi Schwarzschild and Zachary C. Lipton and "
        "J. Zico Kolter",
        year=2024,
        arxiv="2401.06121",
        where="section 3.2, KL minimisation",
        venue="COLM 2024",
    )
    plan: ClassVar = MethodDefaults(retain="kl", power=1, stop_at=0.1)
    paper_settings: ClassVar = TOFU_SETTINGS | {"train.stop_at": 0.0}

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of log p over all answer tokens."""
        return [Term("forget", ascent(rows.log_odds))]
