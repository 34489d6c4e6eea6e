"""KL minimisation: gradient ascent on forget, KL to the original model on retain."""

from dataclasses import dataclass, replace
from typing import ClassVar

from unteach.losses import ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import _papers as papers
from unteach.methods._base import TOFU_SETTINGS, Method, MethodDefaults, method


@method("kl-min")
@dataclass(frozen=True, kw_only=True)
class KLMin(Method):
    """Gradient ascent on the forget answers, and KL to the original model on the retain answers.

    Ascent is unbounded and its gradient grows against the KL; `train.stop_at` ends training.
    """

    paper: ClassVar = replace(papers.TOFU, where="section 3.2, KL minimisation")
    plan: ClassVar = MethodDefaults(retain="kl", power=1, stop_at=0.1)
    paper_settings: ClassVar = TOFU_SETTINGS | {"train.stop_at": 0.0}

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of log p over all answer tokens."""
        return [Term("forget", ascent(rows.log_odds))]
