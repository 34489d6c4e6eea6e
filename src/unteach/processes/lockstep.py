"""A model in shards: all processes ask it the same at the same time, and hear the same."""

from typing import Any

import torch
from accelerate.utils import broadcast
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from transformers import LogitsProcessor


def in_lockstep(model: Any) -> bool:
    """Whether all processes must come to each forward: its layers lie in shards (FSDP2).

    Example:
        >>> in_lockstep(torch.nn.Linear(1, 1))
        False
    """
    return any(isinstance(module, FSDPModule) for module in model.modules())


class FollowMainProcess(LogitsProcessor):
    """Leaves the token that is likeliest on the main process, and no other.

    Processes whose answers differed in one token, for their devices round unlike, would end at
    other steps, and wait for one another for ever.
    """

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # type: ignore[override]
        """[B, V]."""
        token: Any = broadcast(scores.argmax(-1, keepdim=True))
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)
