"""A model that is asked and not trained, in shards over all processes: accelerate's FSDP2."""

from typing import Any

from accelerate import Accelerator
from accelerate.utils import FullyShardedDataParallelPlugin, fsdp2_prepare_model
from torch.distributed.fsdp import register_fsdp_forward_method

from unteach.errors import Problem, UserError
from unteach.processes.launcher import require_asked


def in_shards(model: Any) -> Any:
    """The model with a share of each weight on this process's device, cut as the launcher was told.

    Weights keep their precision, and products are in it, as where one device holds the model: the
    launcher's `mixed_precision` is for training. Every process must come here.

    Args:
        model: whole, on the CPU, the same on every process; with adapters or without.

    Raises:
        UserError: accelerate puts nothing in shards here, or was told of layers that are not there.
    """
    accelerator = Accelerator()
    require_asked(accelerator)
    model.requires_grad_(False)  # accelerate makes float32 of what may be trained
    state: Any = accelerator.state
    of_training = state.fsdp_plugin
    # One that has met a model keeps the classes of its layers, and training's precision.
    state.fsdp_plugin = FullyShardedDataParallelPlugin()
    try:
        sharded: Any = fsdp2_prepare_model(accelerator, model)
    except ValueError as error:
        hint = "look at `fsdp_transformer_layer_cls_to_wrap` of accelerate's file, or leave it out"
        what = f"does not cut the model ({error})"
        raise UserError(Problem("FSDP", what, hint, "request")) from error
    finally:
        state.fsdp_plugin = of_training
    if hasattr(sharded, "get_base_model"):  # `generate` goes past adapters to what they are put on
        register_fsdp_forward_method(sharded, "generate")
    return sharded.eval()
