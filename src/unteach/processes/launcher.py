"""What a launcher was asked for, and whether it is there: accelerate falls back without a word."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accelerate.utils import (
    DistributedType,
    compare_versions,
    str_to_bool,
)

from unteach.errors import Problem, UserError

SHARDS = "1.15"  # of accelerate, for FSDP
FALLEN = {
    "FSDP": "weights are sharded (FSDP) on accelerators alone; on CPUs each process would hold all",
    "DeepSpeed": "accelerate did not start DeepSpeed",
}
RANKS = ("RANK", "LOCAL_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")


def require_asked(accelerator: Any, args: Any = None) -> None:
    """That weights are sharded where that was asked for, and that all processes are there.

    Args:
        accelerator: accelerate's, once it is made.
        args: `TrainingArguments`, which may ask for FSDP or DeepSpeed too.

    Raises:
        UserError: accelerate does something else than it was asked for.
    """
    found = accelerator.distributed_type
    asked = sharding_asked(os.environ)
    if asked is None and args is not None:
        asked = "FSDP" if args.fsdp else "DeepSpeed" if args.deepspeed else None
    problems = lone(os.environ) or strangers(os.environ, accelerator)
    if asked and found != DistributedType[asked.upper()]:
        hint = "start with plain data parallelism (examples/accelerate/ddp.yaml), or on GPUs"
        what = f"was asked for, and is not what runs ({found.value}): {FALLEN[asked]}"
        problems.append(Problem(asked, what, hint, "request"))
    elif found == DistributedType.FSDP and not accelerator.is_fsdp2:
        hint = "set `fsdp_version: 2`, as in examples/accelerate/fsdp2.yaml"
        problems.append(
            Problem("FSDP", "is of version 1, which is not known here", hint, "request")
        )
    elif found == DistributedType.FSDP and compare_versions("accelerate", "<", SHARDS):
        # Tried with torch 2.13: 1.10 to 1.12 read shards, and 1.10 to 1.13 adapters, into other
        # weights, without a word; 1.14 takes no adapters where head and embedding are one.
        what = f"does not go on from its checkpoints with accelerate {version('accelerate')}"
        hint = f'pip install -U "accelerate>={SHARDS}"'
        problems.append(Problem("FSDP", what, hint, "request"))
    if problems:
        raise UserError(*problems)


def sharding_asked(environment: Mapping[str, str]) -> str | None:
    """What `accelerate launch` was asked for, "FSDP" or "DeepSpeed"; else None.

    Example:
        >>> sharding_asked({"ACCELERATE_USE_FSDP": "true"})
        'FSDP'
    """
    for name in ("FSDP", "DeepSpeed"):
        if _true(environment.get(f"ACCELERATE_USE_{name.upper()}")):
            return name
    return None


def spread(accelerator: Any) -> str:
    """Over how many processes training was spread, and how."""
    number, kind = accelerator.num_processes, accelerator.distributed_type.value
    if number == 1:
        return "1 process"
    return f"{number} processes ({'DDP' if kind.startswith('MULTI') else kind})"


def lone(environment: Mapping[str, str]) -> list[Problem]:
    """A problem where `accelerate launch --cpu` was asked for several processes and started one.

    It sets an address at which they would meet, but no number that one of them would have.

    Example:
        >>> one = {"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1", "KMP_BLOCKTIME": "1"}
        >>> lone(one)[0].what
        'was asked for several processes on CPUs and started one: for these it needs MPI'
        >>> lone({**one, "RANK": "0"})
        []
    """
    alone = "MASTER_ADDR" in environment and not any(rank in environment for rank in RANKS)
    # An address may have been there before (SLURM); what tunes OpenMP was set by accelerate.
    if not (
        alone and _true(environment.get("ACCELERATE_USE_CPU")) and "KMP_BLOCKTIME" in environment
    ):
        return []
    what = "was asked for several processes on CPUs and started one: for these it needs MPI"
    hint = "use `unteach run --processes N`, or `torchrun --nproc_per_node N`"
    return [Problem("accelerate launch", what, hint, "request")]


def strangers(environment: Mapping[str, str], accelerator: Any) -> list[Problem]:
    """A problem where a launcher started several processes and accelerate knows of this one alone.

    Each would train by itself, and all would write into one folder.

    Example:
        >>> from types import SimpleNamespace
        >>> started = {"LOCAL_RANK": "0", "WORLD_SIZE": "2"}
        >>> strangers(started, SimpleNamespace(num_processes=1))[0].what
        'started 2 processes, and each would train by itself'
        >>> strangers(started, SimpleNamespace(num_processes=2))
        []
    """
    started = int(environment.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in environment else 1
    if started == 1 or accelerator.num_processes == started:
        return []
    what = f"started {started} processes, and each would train by itself"
    return [Problem("launcher", what, "without accelerators, give use_cpu=True", "request")]


def require_same_kind(checkpoint: Any, accelerator: Any) -> None:
    """That a checkpoint is read by the kind of run that wrote it.

    Shards of weights and optimiser are read by any number of processes, but by their own kind.

    Args:
        checkpoint: its folder.
        accelerator: accelerate's.

    Raises:
        UserError: it is of another kind.
    """
    names = {file.name for file in Path(checkpoint).iterdir()} if checkpoint else set()
    wrote = "plain"
    if any(name.startswith("pytorch_model_fsdp") for name in names):
        wrote = "FSDP"
    elif any(name.startswith("global_step") for name in names):
        wrote = "DeepSpeed"
    reads = {DistributedType.FSDP: "FSDP", DistributedType.DEEPSPEED: "DeepSpeed"}
    own = reads.get(accelerator.distributed_type, "plain")
    if names and wrote != own:
        what = f"was written by a run of the kind {wrote}, and this one is of the kind {own}"
        hint = "go on as it began (plain is one process, or several without shards), or start again"
        raise UserError(Problem(str(checkpoint), what, hint, "request"))


def _true(value: str | None) -> bool:
    return value is not None and bool(str_to_bool(value))
