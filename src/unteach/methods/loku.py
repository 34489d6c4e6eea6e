"""LoKU: the inverted hinge loss, on adapters with Fisher-weighted initialisation (FILA)."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import inverted_hinge
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method
from unteach.types import Paper


@method("loku")
@dataclass(frozen=True, kw_only=True)
class LoKU(Method):
    """Inverted hinge loss on low-rank adapters: replace each answer token by the next likeliest.

    The loss (IHL) is 1 + p(answer token) - p(likeliest other token): bounded between 0 and 2, and
    smallest when the model is sure of another token. Its gradient is small at first on memorised
    tokens.

    The initialisation (FILA) splits every targeted weight W into s B A, which is trained, and
    W - s B A, which is frozen. B A is the rank-r part of W that counts most in the rows where
    F_forget / (F_retain + epsilon) is large, F being Fisher information (mean squared gradients).
    The model's outputs stay the same, which is checked on its first logits, and training changes
    the part that the forget set uses.

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
    Any other method can use FILA too: --method npo --init fila.

    Memory: two float32 numbers for each targeted weight (56 GB for 7 billion), one of them on the
    model's device and one on the CPU, and the gradient of one layer at a time.

    Differences from the authors' code: gradients are per sample, without dropout and summed in
    float32 (theirs: of a batch's mean, in training mode, in the weights' dtype); layers are matched
    by complete names (theirs: by parts of names); small weights are decomposed exactly, large ones
    by a seeded random method; the frozen part is computed from the rounded factors; the saved
    adapters fit the original model (theirs need the changed one).
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
    paper_settings: ClassVar = {
        "train.learning_rate": 2e-4,  # Phi-1.5; 1e-4 for Llama-2-7B
        "train.epochs": 5,
        "train.batch_size": 2,
        "train.gradient_accumulation_steps": 16,
        "train.warmup_ratio": 0.2,  # one epoch
        "train.weight_decay": 0.01,
        "adapter.rank": 32,  # the largest of 4, 8, 16 and 32
        "adapter.fisher": "batch_mean",
        "adapter.fisher_batch": 2,
    }

    def forget(self, rows: AnswerRows) -> list[Term]:
        """1 + p_y - max p_v, mean over all answer tokens."""
        return [Term("forget", inverted_hinge(rows.log_odds, rows.runner_up_logp))]
