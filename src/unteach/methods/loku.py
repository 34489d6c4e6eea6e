"""LoKU: the inverted hinge loss, on adapters that start from what the forget set uses (FILA)."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import inverted_hinge
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method
from unteach.types import Paper


@method("loku")
@dataclass(frozen=True, kw_only=True)
class LoKU(Method):
    """Exchange each answer token with its best rival, by a bounded loss on low-rank adapters.

    The loss (IHL) is 1 + p(answer token) - p(best other token): from 0 to 2, so that nothing runs
    away, and least when the model is sure of something else. It moves slowly at first on tokens
    known by heart.

    The start (FILA) splits every targeted weight W into s B A, which is trained, and W - s B A,
    which is frozen. B A is the rank-r part of W that counts most in the rows where
    F_forget / (F_retain + epsilon) is large, F being Fisher information (mean squared gradients).
    The model computes what it did before, which is checked on its first logits, and training
    moves what the forget set uses.

    What to set:
      --set adapter.rank=32             the size of the part; alpha is twice that
      --set adapter.targets=[q_proj]    which layers; all linear ones but the head by default
      --set adapter.epsilon=1e-8        the retain set does not count where epsilon is far above
                                        F_retain; a note then says which would do
      --set adapter.fisher=batch_mean   the authors' gradient, of the mean of a batch (of
                                        adapter.fisher_batch, 2); it depends on the batch size
      --set adapter.fisher_samples=100  fewer gradients: at most so many forget examples
      --set adapter.fisher_device=cpu   less memory of an accelerator, more time
      --init default                    the loss on plain LoRA, without FILA
      --set adapter.kind=full           the loss on all weights
    Any other method starts so too: --method npo --init fila.

    Memory: two float32 numbers for each targeted weight (56 GB for 7 billion), one of them beside
    the model and one on the CPU, and the gradient of one layer at a time.

    Where this is not the authors' program: gradients are per sample, without dropout and summed
    in float32 (theirs: of a batch's mean, in training mode, in the weights' type); layers are
    found by whole names (theirs: parts of names); small weights are decomposed exactly, large ones
    with a seed; what is frozen is computed from the factors as they were rounded; adapters alone
    fit the original model (theirs need the changed one).
    """

    paper: ClassVar = Paper(
        title="Towards Robust and Parameter-Efficient Knowledge Unlearning for LLMs",
        authors="Sungmin Cha and Sungjun Cho and Dasol Hwang and Moontae Lee",
        year=2024,
        arxiv="2408.06621",
        where="the inverted hinge loss and the Fisher-weighted initialisation (FILA)",
        venue="ICLR 2025",
    )
    plan: ClassVar = MethodDefaults(adapter="lora", init="fila")

    def forget(self, rows: AnswerRows) -> list[Term]:
        """1 + p_y - max p_v, mean over all answer tokens."""
        return [Term("forget", inverted_hinge(rows.log_odds, rows.runner_up_logp))]
