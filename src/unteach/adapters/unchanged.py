"""Check that FILA's initialisation does not change the model's logits."""

from typing import Any

import torch
from torch import Tensor

from unteach.errors import Problem, UserError
from unteach.types import Sequence

SEQUENCES, TOKENS = 4, 256  # number of sequences, and tokens of each
# Relative to the largest logit; at most 0.038, 0.005 and 4e-6 were measured (NOTES.md).
COARSER = {torch.bfloat16: 0.1, torch.float16: 0.02}
SINGLE = 1e-3


@torch.no_grad()
def first_logits(model: Any, sequences: list[Sequence]) -> list[Tensor]:
    """Return the logits of a few texts, [T, V] each, on the CPU and in the model's dtype."""
    was_training = model.training
    model.eval()
    logits = []
    for sequence in sequences[:SEQUENCES]:
        ids = torch.tensor([sequence.ids[:TOKENS]], device=model.device)
        logits.append(model(input_ids=ids, use_cache=False).logits[0].cpu())
    model.train(was_training)
    return logits


def require_same_logits(model: Any, before: list[Tensor], after: list[Tensor]) -> float:
    """Return the largest absolute difference of the logits, if it is small enough.

    Args:
        model: with adapters; its coarsest dtype sets the tolerance.
        before: logits from `first_logits`.
        after: the same after the change.

    Raises:
        UserError: the difference is more than rounding explains.
    """
    pairs = [(b.float(), a.float()) for b, a in zip(before, after, strict=True)]
    # Masked logits are -inf in both; a NaN in either must not get lost in the maximum.
    apart = [torch.where(b == a, 0.0, (b - a).abs()).max() for b, a in pairs]
    drift = torch.stack(apart).max().item()
    scale = max(b.nan_to_num(0.0, 0.0, 0.0).abs().max().item() for b, _ in pairs)
    fast = torch.get_float32_matmul_precision() != "highest"  # TF32, with 10 bits of mantissa
    single = COARSER[torch.float16] if fast else SINGLE
    allowed = scale * max(COARSER.get(p.dtype, single) for p in model.parameters())
    if not drift <= allowed:
        what = (
            f"the first logits changed by {drift:.2g} when the weights were split; rounding "
            f"explains {allowed:.2g} at most (the largest logit is {scale:.2g})"
        )
        hint = "set dtype=float32, a smaller adapter.rank or adapter.init=default"
        raise UserError(Problem("adapter.init", what, hint))
    return float(f"{drift:.3g}")
