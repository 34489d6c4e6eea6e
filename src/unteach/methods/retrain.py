"""Retraining: fine-tune the base model again, on all data except the forget set."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import cross_entropy
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method
from unteach.types import Paper


@method("retrain")
@dataclass(frozen=True, kw_only=True)
class Retrain(Method):
    """Fine-tune the base model (`--base`) again, on the retain file alone.

    Exact if the retain file is all the other fine-tuning data, and the training settings are the
    same as then: the result is a model that never saw the forget data, which are only scored. Other
    methods approximate such a model, and are compared with it.

    The loss is the mean of -log p over the retain answers' tokens. Epochs are passes over the
    retain file. Five at a rate of 1e-5 (at width 2048, more for smaller models) are TOFU's recipe;
    if the fine-tuning had another, set `train.learning_rate`, `epochs`, `batch` and so on.
    """

    paper: ClassVar = Paper(
        title="Machine Unlearning",
        authors="Lucas Bourtoule and Varun Chandrasekaran and Christopher A. Choquette-Choo and "
        "Hengrui Jia and Adelin Travers and Baiwu Zhang and David Lie and Nicolas Papernot",
        year=2019,
        arxiv="1912.03817",
        where="retraining from scratch as the definition of unlearning; without shards",
        venue="IEEE S&P 2021",
    )
    plan: ClassVar = MethodDefaults(retain="none", epochs=5, draw_back=False)
    trains_on: ClassVar = "retain"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of -log p over all tokens of the retain file's answers."""
        return [Term("hold", cross_entropy(rows.log_odds))]

    def holds(self) -> bool:
        """Always true: its only term preserves."""
        return True
