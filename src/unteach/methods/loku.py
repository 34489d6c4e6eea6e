"""LoKU: the inverted hinge loss, on adapters that start from what the forget set uses (FILA)."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import inverted_hinge
from unteach.losses.seen import Seen, Term
from unteach.methods._base import Method, Plan, method
from unteach.nouns import Paper


@method("loku")
@dataclass(frozen=True, kw_only=True)
class LoKU(Method):
    """Exchange each answer token with its best rival, by a bounded loss on low-rank adapters.

    The adapters take over, from the start, the part of the weights that matters more to the forget
    set than to the retain set (Fisher-weighted, FILA), so training moves that part alone.
    `--set adapter.kind=full` runs the loss alone.
    """

    paper: ClassVar = Paper(
        title="Towards Robust and Parameter-Efficient Knowledge Unlearning for LLMs",
        authors="Sungmin Cha and Sungjun Cho and Dasol Hwang and Moontae Lee",
        year=2024,
        arxiv="2408.06621",
        where="the inverted hinge loss and the Fisher-weighted initialisation (FILA)",
        venue="ICLR 2025",
    )
    plan: ClassVar = Plan(adapter="lora", init="fila")

    def forget(self, seen: Seen) -> list[Term]:
        """1 + p_y - max p_v, mean over all answer tokens."""
        return [Term("forget", inverted_hinge(seen.margin, seen.rival))]
