"""Gather sharded weights (FSDP2, ZeRO-3): the head during a forward pass, or the entire model."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor


def hold_head(model: Any) -> None:
    """Keep the head's weights gathered after its own forward; call it within the model's forward.

    FSDP2 reshards a module's weights after the module's forward, unless the module is the last of
    the model or has no group of its own. After the backward pass it reshards them in any case.

    Args:
        model: unwrapped.
    """
    head: Any = model.get_output_embeddings()
    if isinstance(head.weight, DTensor) and isinstance(head, FSDPModule):
        head.unshard()


def announce_head(model: Any) -> None:
    """Register the head with ZeRO-3, so that it stays gathered for the model's entire forward.

    Args:
        model: unwrapped, with its weights sharded already.
    """
    parameters = model.get_output_embeddings().parameters()
    if external := [p for p in parameters if hasattr(p, "ds_id")]:
        import deepspeed  # pyright: ignore[reportMissingImports]

        for parameter in external:
            deepspeed.zero.register_external_parameter(model, parameter)


def rest(model: Any) -> None:
    """Reshard all weights; for use after forward passes without a backward pass.

    Otherwise FSDP2 mistakes gathered weights for the optimiser's parameters: the last norm and the
    head are then not trained, without any error.
    """
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


class Shell:
    """A copy of a model without its weights, to be filled with gathered ones.

    Args:
        model: before it is sharded; its weights are not kept.

    Example:
        >>> model = torch.nn.Linear(2, 1)
        >>> shell = Shell(model)
        >>> torch.equal(shell.filled(model.state_dict()).weight, model.weight)
        True
    """

    def __init__(self, model: nn.Module):
        self._model = copy.deepcopy(model, {id(p): _without_data(p) for p in model.parameters()})

    def filled(self, state: dict[str, Tensor]) -> Any:
        """Return the model with these weights, on the CPU; call it only once.

        Args:
            state: every weight, gathered; tied weights once or twice.
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
