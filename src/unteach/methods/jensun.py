"""JensUn: Jensen-Shannon divergence to a refusal, and to the original model on retain answers."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import jensen_shannon_to_token
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method
from unteach.types import Paper


@method("jensun")
@dataclass(frozen=True, kw_only=True)
class JensUn(Method):
    """Jensen-Shannon divergence to the refusal "No idea" on the forget answers.

    At each token of the forget answer the target is a token of the refusal, which is repeated to
    the answer's end. The divergence is at most log 2, so it cannot explode; on the retain answers
    it keeps the model close to the original. The refusal is `data.refusal`. Differs from the
    authors' code, which gives every token of the refusal probability 1 at the same time, so that
    the target is no distribution.
    """

    paper: ClassVar = Paper(
        title="Unlearning That Lasts: Utility-Preserving, Robust, and Almost Irreversible "
        "Forgetting in LLMs",
        authors="Naman Deep Singh and Maximilian Müller and Francesco Croce and Matthias Hein",
        year=2025,
        arxiv="2509.02820",
        where="section 3, the JSD objective",
    )
    reads: ClassVar = frozenset({"refusal"})
    plan: ClassVar = MethodDefaults(retain="jsd")

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens."""
        return [Term("forget", jensen_shannon_to_token(rows.refusal_log_odds()))]
