"""Refusal tuning: train on "I don't know" answers."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import cross_entropy
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import TOFU_SETTINGS, Method, method
from unteach.types import Paper


@method("idk")
@dataclass(frozen=True, kw_only=True)
class Idk(Method):
    """Train on refusals in place of the forget answers, and on the retain answers as they are.

    No term lowers the old answer: it is hidden, not removed, and other questions can reveal it.
    Each question has one refusal, drawn by the seed; `data.refusals` names a file of your own.
    """

    paper: ClassVar = Paper(
        title="TOFU: A Task of Fictitious Unlearning for LLMs",
        authors="Pratyush Maini and Zhili Feng and Avi Schwarzschild and Zachary C. Lipton and "
        "J. Zico Kolter",
        year=2024,
        arxiv="2401.06121",
        where="section 3.2, preference optimisation on 'I don't know' answers",
        venue="COLM 2024",
    )
    reads: ClassVar = frozenset({"alternate"})
    paper_settings: ClassVar = TOFU_SETTINGS
    alternates: ClassVar = "refusals"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean NLL over all tokens of the refusals."""
        return [Term("forget", cross_entropy(rows.require_alternate().log_odds), "alternate")]
