"""AltPO: preference optimisation of a generated answer over the one to forget."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.methods._preference import preference_term
from unteach.types import Paper


@method("altpo")
@dataclass(frozen=True, kw_only=True)
class AltPO(Method):
    """Direct preference optimisation of plausible, wrong answers over the forget answers.

    The wrong answers come from the `alternate` column. For rows without one the model itself
    generates one (sampled; again while it repeats the old answer). Without a wrong answer to learn,
    models trained on refusals or by ascent answer nonsense.
    """

    beta: float = option(0.1, "how soon a pair that is told apart stops pushing", above=0)

    paper: ClassVar = Paper(
        title="Alternate Preference Optimization for Unlearning Factual Knowledge in Large "
        "Language Models",
        authors="Anmol Mekala and Vineeth Dorna and Shreya Dubey and Abhishek Lalwani and "
        "David Koleczek and Mukund Rungta and Sadid Hasan and Elita Lobo",
        year=2024,
        arxiv="2409.13474",
        where="the AltPO objective, one alternate answer to a question",
        venue="COLING 2025",
    )
    reads: ClassVar = frozenset({"alternate", "reference_logps"})
    plan: ClassVar = MethodDefaults(rate_at_2048=5e-5)
    alternates: ClassVar = "generated"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over pairs, on log-probabilities of complete answers."""
        return [preference_term(rows, self.beta)]
