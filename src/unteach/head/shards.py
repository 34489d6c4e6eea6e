"""A head whose weights lie in shards on several devices."""

from typing import Any

from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor


def is_matrix(module: nn.Module) -> bool:
    """Whether it is a linear layer and no more; FSDP gives it another class of that kind.

    Example:
        >>> is_matrix(nn.Linear(1, 1)), is_matrix(nn.Embedding(1, 1))
        (True, False)
    """
    own = (kind for kind in type(module).__mro__ if not issubclass(kind, FSDPModule))
    return next(own) is nn.Linear


def in_shards(weight: Any) -> bool:
    """Whether this process holds but a part of it now (FSDP2, ZeRO-3)."""
    if isinstance(weight, DTensor):
        return True
    return getattr(weight, "ds_status", None) is not None and weight.ds_status.name != "AVAILABLE"


def whole(weight: Any) -> Any:
    """The weight itself, or where it is in shards a whole copy, without a graph.

    All processes must come here when it is in shards.
    """
    if not in_shards(weight):
        return weight
    if isinstance(weight, DTensor):
        return weight.full_tensor().detach()
    import deepspeed  # pyright: ignore[reportMissingImports]

    with deepspeed.zero.GatheredParameters([weight]):
        return weight.detach().clone()
