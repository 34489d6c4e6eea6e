"""Detect and gather a head whose weights are sharded over several devices."""

from typing import Any

from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor


def is_matrix(module: nn.Module) -> bool:
    """Whether the module is exactly `nn.Linear`, also where FSDP has changed its class.

    Example:
        >>> is_matrix(nn.Linear(1, 1)), is_matrix(nn.Embedding(1, 1))
        (True, False)
    """
    own = (kind for kind in type(module).__mro__ if not issubclass(kind, FSDPModule))
    return next(own) is nn.Linear


def is_sharded(weight: Any) -> bool:
    """Whether this process holds only a part of the weight now (FSDP2, ZeRO-3)."""
    if isinstance(weight, DTensor):
        return True
    return getattr(weight, "ds_status", None) is not None and weight.ds_status.name != "AVAILABLE"


def whole(weight: Any) -> Any:
    """Return the weight itself, or a gathered copy without a graph if it is sharded.

    If it is sharded, every process must call this function.
    """
    if not is_sharded(weight):
        return weight
    if isinstance(weight, DTensor):
        return weight.full_tensor().detach()
    import deepspeed  # pyright: ignore[reportMissingImports]

    with deepspeed.zero.GatheredParameters([weight]):
        return weight.detach().clone()
