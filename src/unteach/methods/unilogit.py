"""Unilogit: self-distillation towards a uniform probability of the target."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from unteach.losses import to_level, unilogit, unilogit_to_reference
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.teachers import Teacher, TeacherInputs, find_teacher
from unteach.types import Paper


@method("unilogit")
@dataclass(frozen=True, kw_only=True)
class Unilogit(Method):
    """Self-distillation with each answer token moved to probability 1/V.

    The soft label comes from the current model, so no reference is needed (`target=original` uses
    the original model, which the authors' code has commented out). Forgetting stops by itself:
    below 1/V the loss raises the token again. With reverse KL the gradient vanishes on fully
    memorised tokens (0.15 at p = 0.99, 0.002 at 0.9999), so the first steps are slow.

    No answer that was never seen has all of its tokens at 1/V: grammar is lost with the facts. With
    `level=holdout`, the default where a holdout is given, each token is moved to a probability of
    its own: those of the holdout's answer of the same rank, the least likely for the token of which
    the original is least sure. The divergence hardly moves a token that is unlikely already, so a
    term on its log-probability is added: `level_weight` * Huber(log p_model - log p). Both are
    ours.
    """

    direction: Literal["reverse", "forward"] = option(
        "reverse", "KL(model || label), the paper's, or KL(label || model)"
    )
    target: Literal["current", "original"] = option(
        "current", "whose distribution the label is made of: the current model's, the paper's"
    )
    level: Literal["uniform", "holdout"] = option(
        "uniform",
        "where each answer token ends: at 1/V, the paper's, or at the probability of the holdout's "
        "tokens (holdout: the default with a holdout)",
    )
    level_weight: float = option(
        1.0, "with level=holdout: weight of the tokens' own log-probability", low=0, tried=()
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
    plan: ClassVar = MethodDefaults(rounds=3)
    paper_settings: ClassVar = {
        "method.level": "uniform",
        "method.reduction": "mean",  # of the authors' code, second-hand
        "adapter.kind": "lora",
        "train.learning_rate": 1e-4,
        "train.batch_size": 8,
        "train.gradient_accumulation_steps": 2,
        "train.epochs": 10,
    }

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Sum or mean over the vocabulary, mean over all answer tokens."""
        level = rows.require_teacher_targets() if self.level == "holdout" else None
        given: dict[str, Any] = {"level": level, "direction": self.direction}
        if self.target == "original":
            reference = rows.require_reference_logits()
            values = unilogit_to_reference(rows.require_logits(), reference, rows.target, **given)
        else:
            values = unilogit(rows.log_odds, vocabulary=rows.vocabulary, **given)
        weight = 1.0 if self.reduction == "sum" else 1 / rows.vocabulary
        if level is None:
            return [Term("forget", values, weight=weight)]
        return [
            Term("forget", weight * values + self.level_weight * to_level(rows.log_odds, level))
        ]

    def needs(self) -> frozenset[str]:
        """Return what the label is made of."""
        original = {"reference_logits"} if self.target == "original" else set()
        return frozenset(original | ({"teacher_targets"} if self.level == "holdout" else set()))

    def teach(self, inputs: TeacherInputs) -> Teacher:
        """Return the original, with each answer token lowered to the holdout's level."""
        return find_teacher("level", inputs)

    @classmethod
    def defaults_for(cls, *, retain: bool, holdout: bool) -> dict[str, Any]:
        """Return the holdout's level as the default where there is a holdout."""
        return {"level": "holdout"} if holdout else {}
