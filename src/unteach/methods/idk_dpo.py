"""DPO with refusals: preference optimisation of "I do not know" over the answer to forget."""

from dataclasses import dataclass, replace
from typing import ClassVar

from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import _papers as papers
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.methods._preference import preference_term


@method("idk-dpo")
@dataclass(frozen=True, kw_only=True)
class IdkDPO(Method):
    """Direct preference optimisation of a refusal over the forget answer.

    Each question has one refusal, drawn by the seed; `data.refusals` names a file of your own.
    """

    beta: float = option(0.1, "how soon a pair that is told apart stops pushing", above=0)

    paper: ClassVar = replace(papers.NPO, where="the DPO baseline with 'I don't know' answers")
    reads: ClassVar = frozenset({"alternate", "reference_logps"})
    plan: ClassVar = MethodDefaults(rate_at_2048=5e-5)
    alternates: ClassVar = "refusals"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over pairs, on log-probabilities of complete answers."""
        return [preference_term(rows, self.beta)]
