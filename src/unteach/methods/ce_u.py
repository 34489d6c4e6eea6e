"""CE-U: cross-entropy to the model's own distribution without the answer token."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import ce_u
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("ce-u")
@dataclass(frozen=True, kw_only=True)
class CEU(Method):
    """Cross-entropy to the model's own distribution without the answer token.

    The gradient is that of -log(1 - p): largest for a memorised token, fading as it is forgotten,
    so it cannot explode. The paper uses no retain data; `train.retain=nll` adds it. The first token
    of an answer gets no loss, as in the paper, since it reveals little of the answer.
    """

    skip_first: bool = option(True, "leave the first token of each answer alone")

    paper: ClassVar = Paper(
        title="CE-U: Cross Entropy Unlearning",
        authors="Bo Yang",
        year=2025,
        arxiv="2503.01224",
        where="the CE-U loss, and the footnote on the first token",
    )
    reads: ClassVar = frozenset({"position"})
    plan: ClassVar = MethodDefaults(retain="none", stop_at=0.1)

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens but the first of each answer."""
        values = ce_u(rows.require_logits(), rows.target)
        if not self.skip_first:
            return [Term("forget", values)]
        return [
            Term("forget", values * (rows.require_position() > 0), {"tokens": 1, "answers": -1})
        ]
