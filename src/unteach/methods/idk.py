"""Refusal tuning: train on "I don't know" answers."""

from dataclasses import dataclass, replace
from typing import ClassVar

from unteach.losses import cross_entropy
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import _papers as papers
from unteach.methods._base import TOFU_SETTINGS, Method, method


@method("idk")
@dataclass(frozen=True, kw_only=True)
class Idk(Method):
    """Train on refusals in place of the forget answers, and on the retain answers as they are.

    No term lowers the old answer: it is hidden, not removed, and other questions can reveal it.
    Each question has one refusal, drawn by the seed; `data.refusals` names a file of your own.
    """

    paper: ClassVar = replace(
        papers.TOFU, where="section 3.2, preference optimisation on 'I don't know' answers"
    )
    reads: ClassVar = frozenset({"alternate"})
    paper_settings: ClassVar = TOFU_SETTINGS
    alternates: ClassVar = "refusals"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean NLL over all tokens of the refusals."""
        return [Term("forget", cross_entropy(rows.require_alternate().log_odds), "alternate")]
