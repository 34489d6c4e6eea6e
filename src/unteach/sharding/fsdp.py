"""Shard a model for inference over all processes with accelerate's FSDP2."""

from typing import Any

from accelerate import Accelerator
from accelerate.utils import FullyShardedDataParallelPlugin, fsdp2_prepare_model
from torch.distributed.fsdp import register_fsdp_forward_method

from unteach.errors import Problem, UserError
from unteach.processes.launcher import require_asked


def shard_model(model: Any) -> Any:
    """Shard the model over all processes, as the accelerate launcher is configured.

    Weights and products keep the model's precision, as on one device: the launcher's
    `mixed_precision` is for training. Every process must call this function.

    Args:
        model: complete, on the CPU, the same on every process; with adapters or without.

    Returns:
        The model in evaluation mode, with a shard of each weight on this process's device.

    Raises:
        UserError: accelerate does not shard here, or its configuration names unknown layers.
    """
    accelerator = Accelerator()
    require_asked(accelerator)
    model.requires_grad_(False)  # accelerate casts trainable parameters to float32
    state: Any = accelerator.state
    training_plugin = state.fsdp_plugin
    # A plugin that was used before keeps the layer classes of its model and training's precision.
    state.fsdp_plugin = FullyShardedDataParallelPlugin()
    try:
        sharded: Any = fsdp2_prepare_model(accelerator, model)
    except ValueError as error:
        hint = "look at `fsdp_transformer_layer_cls_to_wrap` of accelerate's file, or leave it out"
        what = f"does not cut the model ({error})"
        raise UserError(Problem("FSDP", what, hint, "request")) from error
    finally:
        state.fsdp_plugin = training_plugin
    if hasattr(sharded, "get_base_model"):  # peft's `generate` calls the base model's
        register_fsdp_forward_method(sharded, "generate")
    return sharded.eval()
