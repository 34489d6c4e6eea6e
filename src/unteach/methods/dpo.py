"""DPO: preference optimisation of an alternate answer over the one to forget."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, method, option
from unteach.methods._preference import preference_term
from unteach.types import Paper


@method("dpo")
@dataclass(frozen=True, kw_only=True)
class DPO(Method):
    """Direct preference optimisation of the `alternate` column over the forget answer.

    Each row of the forget file gives a replacement answer (`alternate`). Both answers are compared
    with the original model, and the gradient vanishes as their log-ratios differ.
    """

    beta: float = option(0.1, "how soon a pair that is told apart stops pushing", above=0)

    paper: ClassVar = Paper(
        title="Direct Preference Optimization: Your Language Model is Secretly a Reward Model",
        authors="Rafael Rafailov and Archit Sharma and Eric Mitchell and Stefano Ermon and "
        "Christopher D. Manning and Chelsea Finn",
        year=2023,
        arxiv="2305.18290",
        where="equation 7, times 2 / beta as NPO (arXiv 2404.05868) scales it",
        venue="NeurIPS 2023",
    )
    reads: ClassVar = frozenset({"alternate", "reference_logps"})
    alternates: ClassVar = "column"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over pairs, on log-probabilities of complete answers."""
        return [preference_term(rows, self.beta)]
