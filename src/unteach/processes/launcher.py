"""Check that the launcher's requested setup is what runs, as accelerate falls back silently."""

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

from unteach.errors import Problem, UserError, require

SHARDS = "1.15"  # lowest version of accelerate for FSDP
FALLEN = {
    "FSDP": "weights are sharded (FSDP) on accelerators alone; on CPUs each process would hold all",
    "DeepSpeed": "accelerate did not start DeepSpeed",
}
RANKS = ("RANK", "LOCAL_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")


def require_asked(accelerator: Any, args: Any = None) -> None:
    """Check that weights are sharded if requested, and that all processes are connected.

    Args:
        accelerator: the `Accelerator`.
        args: `TrainingArguments`, which may also request FSDP or DeepSpeed.

    Raises:
        UserError: accelerate's setup differs from the requested one.
    """
    kind = accelerator.distributed_type
    requested = sharding_asked(os.environ)
    if requested is None and args is not None:
        requested = "FSDP" if args.fsdp else "DeepSpeed" if args.deepspeed else None
    problems = lone(os.environ) or strangers(os.environ, accelerator)
    if requested and kind != DistributedType[requested.upper()]:
        hint = "start with plain data parallelism (examples/accelerate/ddp.yaml), or on GPUs"
        what = f"was asked for, and is not what runs ({kind.value}): {FALLEN[requested]}"
        problems.append(Problem(requested, what, hint, "request"))
    elif kind == DistributedType.FSDP and not accelerator.is_fsdp2:
        hint = "set `fsdp_version: 2`, as in examples/accelerate/fsdp2.yaml"
        problems.append(
            Problem("FSDP", "is of version 1, which is not known here", hint, "request")
        )
    elif kind == DistributedType.FSDP and compare_versions("accelerate", "<", SHARDS):
        # Tested with torch 2.13: 1.10 to 1.12 silently load shards into wrong weights, 1.10 to 1.13
        # adapters; 1.14 refuses adapters if head and embedding are tied.
        what = f"does not go on from its checkpoints with accelerate {version('accelerate')}"
        hint = f'pip install -U "accelerate>={SHARDS}"'
        problems.append(Problem("FSDP", what, hint, "request"))
    require(*problems)


def sharding_asked(environment: Mapping[str, str]) -> str | None:
    """Return the sharding requested from `accelerate launch`, "FSDP" or "DeepSpeed"; else None.

    Example:
        >>> sharding_asked({"ACCELERATE_USE_FSDP": "true"})
        'FSDP'
    """
    for name in ("FSDP", "DeepSpeed"):
        if _true(environment.get(f"ACCELERATE_USE_{name.upper()}")):
            return name
    return None


def spread(accelerator: Any) -> str:
    """Describe the number of processes and how they are connected."""
    number, kind = accelerator.num_processes, accelerator.distributed_type.value
    if number == 1:
        return "1 process"
    return f"{number} processes ({'DDP' if kind.startswith('MULTI') else kind})"


def lone(environment: Mapping[str, str]) -> list[Problem]:
    """Return a problem if `accelerate launch --cpu` should start several processes but started one.

    It then sets the address for connecting them, but no rank.

    Example:
        >>> one = {"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1", "KMP_BLOCKTIME": "1"}
        >>> lone(one)[0].what
        'was asked for several processes on CPUs and started one: for these it needs MPI'
        >>> lone({**one, "RANK": "0"})
        []
    """
    alone = "MASTER_ADDR" in environment and not any(rank in environment for rank in RANKS)
    # SLURM may have set the address; KMP_BLOCKTIME was set by accelerate.
    if not (
        alone and _true(environment.get("ACCELERATE_USE_CPU")) and "KMP_BLOCKTIME" in environment
    ):
        return []
    what = "was asked for several processes on CPUs and started one: for these it needs MPI"
    hint = "use `unteach run --processes N`, or `torchrun --nproc_per_node N`"
    return [Problem("accelerate launch", what, hint, "request")]


def strangers(environment: Mapping[str, str], accelerator: Any) -> list[Problem]:
    """Return a problem if accelerate has not connected the processes of a launcher.

    Each would train independently, and all would write to one folder.

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
    """Check that a checkpoint was written by the same kind of run (plain, FSDP or DeepSpeed).

    The number of processes may differ, the kind may not.

    Args:
        checkpoint: its folder.
        accelerator: the `Accelerator`.

    Raises:
        UserError: the checkpoint is of another kind.
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
