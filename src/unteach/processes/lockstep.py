"""Keep all processes in step: same forwards and tokens of a sharded model, same weights."""

from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from transformers import LogitsProcessor


def in_lockstep(model: Any) -> bool:
    """Whether each forward needs all processes, because the layers are sharded (FSDP2).

    Example:
        >>> in_lockstep(torch.nn.Linear(1, 1))
        False
    """
    return any(isinstance(module, FSDPModule) for module in model.modules())


@torch.no_grad()
def take_weights_of_main(model: Any) -> None:
    """Give every process the main process's trained weights.

    Processes that train alike hold the same weights on a CPU; other devices may round differently.
    """
    if PartialState().num_processes > 1:
        for weight in model.parameters():
            if weight.requires_grad:
                value: Any = broadcast(weight.data)
                weight.copy_(value)


class FollowMainProcess(LogitsProcessor):
    """Logits processor that allows only the main process's likeliest token.

    Devices may round differently. Processes whose answers differ in one token would end generation
    at different steps, and wait for one another forever.
    """

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # type: ignore[override]
        """Return scores [B, V], 0 at the main process's token and -inf elsewhere."""
        token: Any = broadcast(scores.argmax(-1, keepdim=True))
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)
