"""Every method for some steps, on as many processes as started it, and what came of each.

torchrun --nproc_per_node 2 tests/distributed/curves.py FOLDER [JOB ...]
accelerate launch --config_file fsdp2.yaml --num_processes 2 tests/distributed/curves.py FOLDER

FSDP is asked for by accelerate's own environment; on a CPU a few lines here make it real.
"""

import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import Vocabulary, sequences, tiny_llama
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from unteach.adapters import LoraSettings, add_lora
from unteach.engine.batch import FORGET, RETAIN
from unteach.engine.config import UnlearningConfig
from unteach.engine.trainer import UnlearningTrainer
from unteach.methods import METHODS, build
from unteach.nouns import UserError

PAIRS, STEP = 12, 4  # to forget, and those of one optimiser step over all processes
TO_FORGET, TO_KEEP = sequences(PAIRS, "forget"), sequences(7, "retain")
INSTEAD = [
    replace(s, id=f"forget-{k}") for k, s in enumerate(sequences(PAIRS, "alternate", seed=9))
]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of the trainer.

    Attributes:
        method: its name.
        lora: train adapters.
        tied: head and embedding are one.
        options: of training.
        of_method: the method's own.
        environment: set for this run.
        cut: stop after so many steps, and go on from the checkpoint in another run.
        begun: the folder in which another run was cut; this one goes on from it.
    """

    method: str
    lora: bool = False
    tied: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    of_method: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    begun: str = ""


MOVES = {"tolerance": 0.01, "dual_rate": 3.0}
SHARDED = {"FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT"}
CHECKPOINTED = {"FSDP_ACTIVATION_CHECKPOINTING": "true"}
JOBS = {
    **{name: Job(method=name, tied=False) for name in METHODS},
    **{f"{name}, lora": Job(method=name, lora=True) for name in METHODS},
    "tied": Job(method="undial", options={"retain": "kl"}),
    "long answers": Job(method="npo", options={"chunk_rows": 3}),
    "checkpointed": Job(method="npo", environment=CHECKPOINTED),
    "sam": Job(method="npo", options={"sam": 0.05}),
    "cut": Job(method="pdu", of_method=MOVES, cut=2),
    "cut, lora": Job(method="npo", lora=True, cut=2),
    "cut, shards written": Job(method="npo", environment=SHARDED, cut=2),
}


class Watching(UnlearningTrainer):
    """Notes what really ran."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.retained: list[int] = []
        self.in_shards: set[bool] = set()

    def compute_loss(self, model, inputs, *args, **options):
        self.retained += inputs["index"][inputs["group"] == RETAIN].tolist()
        assert len(inputs["index"][inputs["group"] == FORGET])
        kinds = {isinstance(p, DTensor) or hasattr(p, "ds_id") for p in model.parameters()}
        self.in_shards |= kinds
        return super().compute_loss(model, inputs, *args, **options)


class Cut(TrainerCallback):
    """Stops behind a checkpoint."""

    def __init__(self, at: int):
        self.at = at

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.at:
            control.should_training_stop = control.should_save = True


def trainer(job: Job, folder: Path, processes: int) -> Watching:
    method = build(job.method, job.of_method)
    model = tiny_llama(dtype=torch.float32, tied=job.tied, layers=3)
    if job.lora:
        torch.manual_seed(0)
        model = add_lora(model, LoraSettings(rank=2))
    given = {"learning_rate": 2e-3, "num_train_epochs": 2, "max_grad_norm": 1.0, "stop_at": 0}
    given |= {"save_strategy": "no" if not (job.cut or job.begun) else "steps", "save_steps": 99}
    args = UnlearningConfig(
        output_dir=str(folder),
        use_cpu="ACCELERATE_TORCH_DEVICE" not in os.environ,
        per_device_train_batch_size=STEP // 2 // processes,
        gradient_accumulation_steps=2,
        disable_tqdm=True,
        **{**given, **job.options},
    )
    return Watching(
        model,
        method=method,
        forget_dataset=TO_FORGET,
        alternate_dataset=INSTEAD if "alternate" in method.needs() else None,
        retain_dataset=TO_KEEP,
        args=args,
        processing_class=Vocabulary(),  # type: ignore[arg-type]
        callbacks=[Cut(job.cut)] if job.cut else [],
    )


def run(name: str, job: Job, folder: Path, processes: int) -> dict[str, Any]:
    """What came of it on this process."""
    before = {key: os.environ.get(key) for key in job.environment}
    os.environ.update(job.environment)
    try:
        made = trainer(job, folder / name, processes)
        begun = job.begun and str(Path(job.begun, f"checkpoint-{JOBS[name].cut}"))
        made.train(resume_from_checkpoint=begun or None)
    except UserError as error:
        return {"error": str(error)}
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
    model = made.whole_model()
    logged = [entry for entry in made.state.log_history if "forget" in entry]
    return {
        "type": made.accelerator.distributed_type.value,
        "processes": made.accelerator.num_processes,
        "in_shards": sorted(made.in_shards),
        "retained": made.retained,
        "curve": [[e[k] for k in ("loss", "grad_norm", "forget_probability")] for e in logged],
        "retain_weight": made.dual.weight,
        "state": None if model is None else model.state_dict(),
    }


def work(folder: Path, jobs: dict[str, Job], processes: int = 1) -> dict[str, Any]:
    """Each job; those that are cut a second time too, from where they were cut."""
    found = {}
    for name, job in jobs.items():
        if job.cut:
            found[f"{name}: whole"] = run(name, replace(job, cut=0), folder / "whole", processes)
        found[name] = run(name, job, folder, processes)
        if job.cut:
            begun = replace(job, cut=0, begun=str(folder / name))
            found[f"{name}: resumed"] = run(name, begun, folder / "resumed", processes)
    return found


def on_gloo() -> None:
    """Let accelerate take CPUs for accelerators: on CPUs it drops FSDP without a word."""
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    PartialState._prepare_backend = lambda *args, **options: ("gloo", DistributedType.MULTI_GPU)  # type: ignore[method-assign]
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") != "true":  # which begins it itself
        torch.distributed.init_process_group("gloo")


def main(folder: str, *names: str) -> None:
    torch.set_num_threads(1)
    rank, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if os.environ.get("ACCELERATE_USE_FSDP") or os.environ.get("ACCELERATE_USE_DEEPSPEED"):
        on_gloo()
    jobs = {name: JOBS[name] for name in names or JOBS}
    more = Path(folder, "jobs.json")
    if more.exists():
        jobs |= {name: replace(JOBS[name], **given) for name, given in json.loads(more.read_text()).items()}
    torch.save(work(Path(folder), jobs, processes), Path(folder, f"{rank}.pt"))
    # gloo aborts about one exit in 40 when it is left to the interpreter.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
