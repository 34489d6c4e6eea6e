"""ETW: gradient ascent weighted by the entropy of the model's distribution at each token."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from unteach.losses import entropy_weighted_ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("etw")
@dataclass(frozen=True, kw_only=True)
class ETW(Method):
    """Gradient ascent weighted by entropy: informative tokens get larger weights.

    A function word is nearly certain from its context, a name could be any of many. So the entropy
    H of the model's own distribution shows which tokens carry the answer, without a parser. The
    weight is H / mean of H over the answer, without gradient: an answer's total weight stays the
    same, but shifts between its tokens. Unbounded, like ascent; `train.stop_at` ends it.

    Our reading: we know the equations from a summary of the paper. It divides the logits by a
    temperature before H; its value was not available, and 1 leaves them unchanged.
    """

    temperature: float = option(1.0, "what the logits are divided by before H", above=0)
    normalise: Literal["answer", "vocabulary"] = option(
        "answer",
        "divide H by its mean over the answer (the paper's), or by log V, its largest value, which "
        "pushes answers that are known by heart hardly at all",
    )

    paper: ClassVar = Paper(
        title="Forget What Matters, Keep the Rest: Selective Unlearning of Informative Tokens",
        authors="Seunghee Koh and Sunghyun Baek and Youngdong Kim and Junmo Kim",
        year=2026,
        arxiv="2604.17785",
        where="entropy-guided token weighting on gradient ascent; our reading",
        venue="ACL 2026",
    )
    plan: ClassVar = MethodDefaults(power=1, stop_at=0.1)

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens."""
        return [Term("forget", entropy_weighted_ascent(rows.log_odds, self._weight(rows)))]

    def _weight(self, rows: AnswerRows) -> Tensor:
        if self.normalise == "vocabulary":
            return rows.entropy(self.temperature) / math.log(rows.vocabulary)
        entropies = rows.entropy(self.temperature)
        mean = rows.answer_sums(entropies) / rows.lengths.clamp(min=1)
        return entropies / mean.clamp(min=1e-30)[rows.answer_index]
