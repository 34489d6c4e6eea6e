"""Weights that lie in shards on several devices: where they are whole, and how they get there."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor


def hold_head(model: Any) -> None:
    """Within the model's forward, keep its head whole behind its own part of it.

    FSDP2 puts a module's weights away once the module is through, unless the module stands at the
    end of the model or in no group of its own. It takes them away, and their gradients, after the
    backward pass.

    Args:
        model: as it is within any wrapper.
    """
    head: Any = model.get_output_embeddings()
    if isinstance(head.weight, DTensor) and isinstance(head, FSDPModule):
        head.unshard()


def announce_head(model: Any) -> None:
    """Tell ZeRO-3 that the model itself reads its head, so that it is whole all through a forward.

    Args:
        model: as it is within any wrapper, once its weights are in shards.
    """
    parameters = model.get_output_embeddings().parameters()
    if external := [p for p in parameters if hasattr(p, "ds_id")]:
        import deepspeed  # pyright: ignore[reportMissingImports]

        for parameter in external:
            deepspeed.zero.register_external_parameter(model, parameter)


def rest(model: Any) -> None:
    """Put all weights away; for use after forward passes without a backward pass.

    Else FSDP2 takes the whole weights that are left for those that the optimiser has: the last
    norm and the head never train, and nothing says so.
    """
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


class Shell:
    """A model without its weights, which are put in when shards are put together.

    Args:
        model: before it is sharded; nothing of its weights is kept.

    Example:
        >>> model = torch.nn.Linear(2, 1)
        >>> shell = Shell(model)
        >>> torch.equal(shell.filled(model.state_dict()).weight, model.weight)
        True
    """

    def __init__(self, model: nn.Module):
        self._model = copy.deepcopy(model, {id(p): _without_data(p) for p in model.parameters()})

    def filled(self, state: dict[str, Tensor]) -> Any:
        """The model with these weights, on the CPU; to be asked once.

        Args:
            state: of every weight, whole; tied ones once or twice.
        """
        model: Any = self._model
        model.load_state_dict(state, strict=False, assign=True)
        if hasattr(model, "tie_weights"):
            model.tie_weights()
        empty = [name for name, p in model.named_parameters() if p.is_meta]
        assert not empty, f"{len(empty)} weights were not put in, first {empty[0]}"
        return model.to("cpu").eval()


def _without_data(parameter: nn.Parameter) -> nn.Parameter:
    empty = torch.empty_like(parameter, device="meta")
    return nn.Parameter(empty, requires_grad=parameter.requires_grad)
