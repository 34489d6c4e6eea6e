"""Compute distances between hidden states: one value per row."""

import torch
from jaxtyping import Float
from torch import Tensor


def squared_distance(
    hidden: Float[Tensor, "N D"], goal: Float[Tensor, "#N D"]
) -> Float[Tensor, " N"]:
    """Mean squared difference over the width; no gradient to the goal (RMU, arXiv 2403.03218).

    Example:
        >>> squared_distance(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 1.0]])).tolist()
        [2.0]
    """
    wide = torch.promote_types(hidden.dtype, torch.float32)
    return (hidden.to(wide) - goal.detach().to(wide)).square().mean(-1)


def control_vector(width: int, *, length: float, seed: int) -> Float[Tensor, "1 D"]:
    """A random direction with entries from [0, 1), scaled to a length (RMU's c u).

    Example:
        >>> round(control_vector(8, length=6.5, seed=0).norm().item(), 4)
        6.5
    """
    random = torch.rand(1, width, generator=torch.Generator().manual_seed(seed))
    return length * random / random.norm()
