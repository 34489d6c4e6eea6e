"""Load a model for evaluation onto this process's device, complete or sharded."""

import os
from typing import Any

from unteach.processes.main import agreed, own_device


def load(
    path: str,
    base: str,
    *,
    dtype: str,
    device: str,
    bits: int | None,
    trust_remote_code: bool,
    flag: str = "--model",
    whole: bool = False,
) -> Any:
    """Load a model in evaluation mode; every process must call this.

    Under `accelerate launch` with FSDP the model is sharded. For that, each process first loads the
    complete model into CPU memory. A model in 4 bits is not sharded.

    Args:
        path: folder of the model or of its adapters.
        base: base model of the adapters; equal to `path` where that holds a model.
        dtype: of the weights in memory.
        device: "auto" is the device assigned to this process.
        bits: 4, or None.
        trust_remote_code: run the code that comes with the model.
        flag: name of the model in messages.
        whole: never shard it.

    Raises:
        UserError: it cannot be loaded, a weight is nan or infinite, or sharding was requested and
            is not supported here.
    """
    from unteach.models.finite import require_numbers
    from unteach.models.loading import load_model

    shards = not whole and sharded(bits)

    def read() -> Any:
        model: Any = load_model(
            base,
            flag=flag,
            dtype=dtype,
            device=own_device(device),
            bits=bits,
            placed=not shards,
            trust_remote_code=trust_remote_code,
        )
        require_numbers(model, f"{flag} {base}")
        if base == path:
            return model
        from unteach.adapters import load_adapter

        return load_adapter(model, path)

    if not shards:
        return read()
    from unteach.sharding.fsdp import shard_model

    return shard_model(agreed(read))  # if one process failed, the others would wait for it


def sharded(bits: int | None) -> bool:
    """Whether models are sharded: if the launcher requests FSDP and they are not in 4 bits."""
    from unteach.processes.launcher import sharding_asked

    return not bits and sharding_asked(os.environ) == "FSDP"
