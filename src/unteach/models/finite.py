"""Whether all weights of a loaded model are finite numbers."""

from typing import Any

from torch import Tensor

from unteach.errors import Problem, UserError


def require_numbers(model: Any, where: str = "--model") -> None:
    """That all weights are numbers. Raises UserError, which names the first that is none."""
    if broken := not_finite(model):
        what = f"NaN or infinity is in {len(broken)} of its tensors, first {broken[0]}"
        hint = "take a whole copy of the model, or a later type: float16 ends at 65504"
        raise UserError(Problem(where, what, hint))


def local_part(parameter: Tensor) -> Tensor:
    """This process's part of a weight in shards."""
    return parameter.to_local() if hasattr(parameter, "to_local") else parameter  # type: ignore[operator]


def not_finite(model: Any) -> list[str]:
    """Names of the parameters that hold NaN or infinity."""
    weights = ((name, local_part(p.detach())) for name, p in model.named_parameters())
    return [n for n, w in weights if w.is_floating_point() and not w.isfinite().all()]
