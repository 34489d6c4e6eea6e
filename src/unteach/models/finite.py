"""Check that all weights of a loaded model are finite numbers."""

from typing import Any

from torch import Tensor

from unteach.errors import Problem, UserError


def require_numbers(model: Any, where: str = "--model") -> None:
    """Raise UserError if a weight is NaN or infinite; the message names the first tensor."""
    if broken := not_finite(model):
        what = f"NaN or infinity is in {len(broken)} of its tensors, first {broken[0]}"
        hint = "take a whole copy of the model, or a later type: float16 ends at 65504"
        raise UserError(Problem(where, what, hint))


def local_part(parameter: Tensor) -> Tensor:
    """Return this process's shard of a sharded weight; other weights as they are."""
    return parameter.to_local() if hasattr(parameter, "to_local") else parameter  # type: ignore[operator]


def not_finite(model: Any) -> list[str]:
    """Return the names of the parameters that hold NaN or infinity."""
    weights = ((name, local_part(p.detach())) for name, p in model.named_parameters())
    return [n for n, w in weights if w.is_floating_point() and not w.isfinite().all()]
