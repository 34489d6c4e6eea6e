"""Negative preference optimisation (NPO)."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import npo
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import _papers as papers
from unteach.methods._base import Method, MethodDefaults, method, option


@method("npo")
@dataclass(frozen=True, kw_only=True)
class NPO(Method):
    """Treat the forget answers as dispreferred: ascent that fades as an answer is forgotten."""

    beta: float = option(0.1, "how soon a forgotten answer stops pushing; 0 is ascent", above=0)

    paper: ClassVar = papers.NPO
    reads: ClassVar = frozenset({"reference_logps"})
    plan: ClassVar = MethodDefaults(rate_at_2048=5e-5)
    paper_settings: ClassVar = {  # for Llama-2-7B on TOFU
        "train.learning_rate": 1e-5,
        "train.epochs": 10,
        "train.batch_size": 4,
        "train.gradient_accumulation_steps": 8,
        "train.weight_decay": 0.01,
    }

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over answers, on the log-probability of the complete answer."""
        return [
            Term(
                "forget", npo(rows.logps, rows.require_reference_logps(), beta=self.beta), "answers"
            )
        ]
