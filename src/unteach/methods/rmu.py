"""RMU: move the hidden states of the forget texts to a random vector."""

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from unteach.losses import control_vector, squared_distance
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import _papers as papers
from unteach.methods._base import Method, MethodDefaults, method, option

# Names of an MLP's output projection in different model families.
OUTPUTS = ("down_proj", "dense_4h_to_h", "fc2", "fc_out", "w2", r"mlp\.c_proj")


@method("rmu")
@dataclass(frozen=True, kw_only=True)
class RMU(Method):
    """Move hidden states at forget tokens to one random vector, and keep those at retain tokens.

    Only the MLPs' output weights of the layer and the two before it are trained. Designed for raw
    text on a topic (WMDP); of memorised answers it leaves more than methods on logits. The vector
    must be long compared with the layer's states; the papers' 6.5 is for a 7B model. Distances are
    means over the width, as in the authors' code, so `train.retain_weight` is 1200. That suits
    forget texts unlike the retain texts: if their wording is similar, lower it to 1 to 10, else
    nothing changes.
    """

    steering: float = option(6.5, "length of the random vector (c)", above=0)
    at: int = option(
        -1, "the layer, from 0, at most the last but one; -1 is layer 7 of 32, or as deep", low=-1
    )
    seed: int = option(0, "of the random vector", low=0)

    paper: ClassVar = replace(papers.WMDP, where="section 4, RMU")
    reads: ClassVar = frozenset({"hidden"})
    plan: ClassVar = MethodDefaults(retain="hidden", retain_weight=1200.0, rate_at_2048=2e-5)

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean over all answer tokens."""
        hidden = rows.require_hidden()
        goal = control_vector(hidden.shape[-1], length=self.steering, seed=self.seed)
        return [Term("forget", squared_distance(hidden, goal.to(hidden.device)))]

    def layer(self, layers: int) -> int:
        """Return the requested layer, at most the last but one.

        The hidden states that models return for the last layer are those after the final norm.
        """
        wanted = self.at if self.at >= 0 else super().layer(layers)
        return max(min(wanted, layers - 2), 0)

    def trainable(self, name: str, layers: int) -> bool:
        """Whether the parameter is an MLP's output weight of one of the three layers."""
        match = re.search(r"\.(\d+)\..*\b(" + "|".join(OUTPUTS) + r")\b", name)
        last = self.layer(layers)
        if match is None or name.endswith("bias"):
            return False
        return last - 2 <= int(match[1]) <= last
