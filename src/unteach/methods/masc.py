"""MASC: a hinge loss on each answer token's log-odds against the likeliest other tokens."""

import math
from dataclasses import dataclass
from typing import ClassVar

from unteach.errors import Problem, UserError
from unteach.losses import buffered_hinge, top_margin
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("masc")
@dataclass(frozen=True, kw_only=True)
class MASC(Method):
    """Hinge loss on each answer token's log-odds against the likeliest other tokens.

    A token's margin m is its logit minus the logsumexp of the 10 largest others, so sigmoid(m) is
    its probability among these eleven tokens. The loss is relu(m - tau + eta) / eta with
    tau = log(rho / (1 - rho)): a token gets no gradient once that probability is slightly below rho
    (below 0.645 with the defaults), so forgetting ends by itself. A lower rho forgets further:

        rho       0.7     0.5     0.3     0.1
        ends at   0.645   0.438   0.250   0.080

    Not implemented: the authors also end training as soon as the share of tokens above tau, a mean
    over forget answers, is at most alpha (0.475 on TOFU); use `train.stop_at` instead. Nor are the
    first tokens of longer answers exempt, a random part of them in each step. The retain term has
    weight 20: the inverse of the authors' 0.05 on the forget term. It is KL to the original, as
    they use on MUSE News; on TOFU they have no retain term, only their stopping rule.
    """

    rho: float = option(
        0.7, "the odds' ceiling as a probability, between 0 and 1", above=0, tried=(0.05, 0.95)
    )
    eta: float = option(0.25, "how far below the ceiling the push ends, in nats", above=0)
    top_k: int = option(10, "how many of the likeliest other tokens count", low=1)

    paper: ClassVar = Paper(
        title="Fast Unlearning at Scale via Margin Self-Correction",
        authors="Federico Di Gennaro and Alexander Shevchenko and Fanny Yang",
        year=2026,
        arxiv="2606.02920",
        where="the buffered margin loss, as in the authors' code for TOFU; "
        "without the stopping rule",
    )
    plan: ClassVar = MethodDefaults(retain="kl", retain_weight=20.0)

    def __post_init__(self) -> None:
        """Refuse options out of their bounds, and a rho of 1 or more."""
        super().__post_init__()
        if self.rho >= 1:
            got = f"masc got {self.rho}"
            raise UserError(Problem("method.rho", got, "give less than 1", "request"))

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens."""
        margin = top_margin(rows.require_logits(), rows.target, top_k=self.top_k)
        threshold = math.log(self.rho / (1 - self.rho))
        return [Term("forget", buffered_hinge(margin, threshold=threshold, buffer=self.eta))]
