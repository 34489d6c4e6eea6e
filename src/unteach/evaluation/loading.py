"""A model that is to be asked, where it is asked: on this process's device, whole or its share."""

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
    """The model on disk, in evaluation mode; every process must come here.

    Where `accelerate launch` was asked for FSDP it is put in shards. Each process loads it into the
    machine's memory for that, whole. One in 4 bits stays whole.

    Args:
        path: its folder, or that of adapters.
        base: the model that adapters are put on; the path itself where it holds a model.
        dtype: of the weights in memory.
        device: "auto" is the one that this process was given.
        bits: 4, or None.
        trust_remote_code: run the code that the model brings with it.
        flag: what messages call it by.
        whole: never put it in shards.

    Raises:
        UserError: it does not load, a weight of it is no number, or shards were asked for and are
            not made here.
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
    from unteach.sharding.fsdp import in_shards

    return in_shards(agreed(read))  # those that have it would wait for one that does not


def sharded(bits: int | None) -> bool:
    """Whether models are asked in shards: the launcher's word, but 4 bits stay whole."""
    from unteach.processes.launcher import sharding_asked

    return not bits and sharding_asked(os.environ) == "FSDP"
