"""Unilogit: self-distillation towards a uniform probability of the target."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from unteach.losses import unilogit, unilogit_to_reference
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, method, option
from unteach.types import Paper


@method("unilogit")
@dataclass(frozen=True, kw_only=True)
class Unilogit(Method):
    """Self-distillation with each answer token moved to probability 1/V.

    The soft label comes from the current model, so no reference is needed (`target=original` uses
    the original model, which the authors' code has commented out). Forgetting stops by itself:
    below 1/V the loss raises the token again. With reverse KL the gradient vanishes on fully
    memorised tokens (0.15 at p = 0.99, 0.002 at 0.9999), so the first steps are slow.
    """

    direction: Literal["reverse", "forward"] = option(
        "reverse", "KL(model || label), the paper's, or KL(label || model)"
    )
    target: Literal["current", "original"] = option(
        "current", "whose distribution the label is made of: the current model's, the paper's"
    )
    reduction: Literal["sum", "mean"] = option(
        "sum", "over the vocabulary: the divergence itself, or a V-th of it"
    )

    paper: ClassVar = Paper(
        title="Unilogit: Robust Machine Unlearning for LLMs Using Uniform-Target Self-Distillation",
        authors="Stefan Vasilev and Christian Herold and Baohao Liao and "
        "Seyyed Hadi Hashemi and Shahram Khadivi and Christof Monz",
        year=2025,
        arxiv="2505.06027",
        where="the uniform-target self-distillation loss",
        venue="Findings of ACL 2025",
    )
    paper_settings: ClassVar = {
        "method.reduction": "mean",  # of the authors' code, second-hand
        "adapter.kind": "lora",
        "train.learning_rate": 1e-4,
        "train.batch_size": 8,
        "train.gradient_accumulation_steps": 2,
        "train.epochs": 10,
    }

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Sum or mean over the vocabulary, mean over all answer tokens."""
        if self.target == "original":
            reference, direction = rows.require_reference_logits(), self.direction
            values = unilogit_to_reference(
                rows.require_logits(), reference, rows.target, direction=direction
            )
        else:
            values = unilogit(rows.log_odds, vocabulary=rows.vocabulary, direction=self.direction)
        weight = 1.0 if self.reduction == "sum" else 1 / rows.vocabulary
        return [Term("forget", values, weight=weight)]

    def needs(self) -> frozenset[str]:
        """Return the reference logits if the label comes from the original model."""
        return frozenset({"reference_logits"} if self.target == "original" else ())
