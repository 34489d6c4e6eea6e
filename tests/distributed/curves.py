"""Every method for some steps, on as many processes as started it, and what came of each.

torchrun --nproc_per_node 2 tests/distributed/curves.py FOLDER OTHER [JOB ...]
accelerate launch --config_file FILE --num_processes 2 tests/distributed/curves.py FOLDER OTHER

FSDP and DeepSpeed are asked for by what accelerate's launcher sets; on a CPU a few lines here make
them real. OTHER is a folder in which the same jobs were cut by another number of processes.
"""

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import OF_TINY, Vocabulary, ended, of_strangers, sequences, tiny_llama
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from unteach.adapters import LoraSettings, add_lora, merge, save_model
from unteach.errors import UserError
from unteach.methods import METHODS, build
from unteach.progress import NoProgress
from unteach.rowengine import reference
from unteach.rowengine.batch import RETAIN
from unteach.settings.request import load
from unteach.training.config import UnlearningConfig
from unteach.training.trainer import UnlearningTrainer
from unteach.training.training_data import TrainingData
from unteach.training.unlearn import unlearn_model

PAIRS, STEP, CUT = 8, 4, 3  # to forget, of one optimiser step, steps before a cut
TO_FORGET, TO_KEEP = sequences(PAIRS, "forget"), sequences(7, "retain")
UNSEEN = sequences(9, "holdout", seed=5)
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
        cut: stop behind a checkpoint, and go on from it in another run.
        begun: the folder in which another run was cut; this one goes on from it.
        exact: in float64.
    """

    method: str
    lora: bool = False
    tied: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    of_method: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    begun: str = ""
    exact: bool = False


MOVES = {"tolerance": 0.01, "dual_rate": 3.0}
SHARDED = {"FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT"}
CHECKPOINTED = {"FSDP_ACTIVATION_CHECKPOINTING": "true"}
WRAPPED = {"FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaDecoderLayer,Linear"}  # the head by itself too
WHOLE, SAM = {"gradient_accumulation_steps": 1}, {"sam": 0.05}
ONCE = {"num_train_epochs": 1}
EVERY = {
    **{name: Job(method=name, tied=False, options=ONCE) for name in METHODS},
    **{f"{name}, lora": Job(method=name, lora=True, options=ONCE) for name in METHODS},
}
JOBS = {
    **EVERY,
    "tied": Job(method="undial", options={"retain": "kl"}),
    "long answers": Job(method="npo", options={"chunk_rows": 3}),
    "checkpointed": Job(method="npo", environment=CHECKPOINTED),
    "head put away": Job(method="npo", tied=False, environment=WRAPPED),
    "like lengths together": Job(method="npo", options={"packing": True}, exact=True),
    "stopped": Job(method="ascent", options={"num_train_epochs": 20, "stop_at": 0.006}, exact=True),
    "sam": Job(method="npo", options=SAM | WHOLE, exact=True),
    "sam, accumulated": Job(method="npo", options=SAM, exact=True),
    "conflict": Job(
        method="dto", of_method={"orthogonalize": "conflict"}, options=WHOLE, exact=True
    ),
    "always": Job(method="dto", of_method={"orthogonalize": "always"}, exact=True),
    "both": Job(method="dto", of_method={"orthogonalize": "always"}, options=SAM, exact=True),
    "cut": Job(method="pdu", of_method=MOVES, cut=True),
    "cut, lora": Job(method="npo", lora=True, cut=True),
    "cut, shards written": Job(method="npo", environment=SHARDED, cut=True),
}


class Watching(UnlearningTrainer):
    """Notes what really ran."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.retained: list[int] = []
        self.in_shards: set[bool] = set()

    def compute_loss(self, model, inputs, *args, **options):
        self.retained += inputs["index"][inputs["group"] == RETAIN].tolist()
        self.in_shards |= {
            isinstance(p, DTensor) or hasattr(p, "ds_id") for p in model.parameters()
        }
        return super().compute_loss(model, inputs, *args, **options)


class Cut(TrainerCallback):
    """Stops behind a checkpoint."""

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == CUT:
            control.should_training_stop = control.should_save = True


def trainer(job: Job, folder: Path, processes: int) -> Watching:
    method = build(job.method, {**OF_TINY.get(job.method, {}), **job.of_method})
    model = tiny_llama(dtype=torch.float64 if job.exact else torch.float32, tied=job.tied)
    if job.lora:
        torch.manual_seed(0)
        model = add_lora(model, LoraSettings(rank=2))
    given = {"learning_rate": 2e-3, "num_train_epochs": 2, "max_grad_norm": 1.0, "stop_at": 0}
    given |= {"save_strategy": "steps" if job.cut or job.begun else "no", "save_steps": 99}
    # Adam divides the noise of a gradient that is nothing by itself; not so above its epsilon.
    given |= {"gradient_accumulation_steps": 2, "adam_epsilon": 1e-3} | job.options
    args = UnlearningConfig(
        output_dir=str(folder),
        use_cpu="ACCELERATE_TORCH_DEVICE" not in os.environ,
        per_device_train_batch_size=STEP // given["gradient_accumulation_steps"] // processes,
        disable_tqdm=True,
        **given,
    )
    return Watching(
        model,
        method=method,
        forget_dataset=TO_FORGET,
        alternate_dataset=INSTEAD if "alternate" in method.needs() else None,
        retain_dataset=TO_KEEP,
        holdout_dataset=UNSEEN if "teacher_logits" in method.needs() else None,
        teacher_rows=of_strangers(method, model, TO_FORGET),
        args=args,
        processing_class=Vocabulary(),  # type: ignore[arg-type]
        callbacks=[Cut()] if job.cut else [],
    )


def run(name: str, job: Job, folder: Path, processes: int) -> dict[str, Any]:
    """What came of it on this process."""
    before = {key: os.environ.get(key) for key in job.environment}
    os.environ.update(job.environment)
    try:
        made = trainer(job, folder / name, processes)
        made.train(resume_from_checkpoint=job.begun or None)
    except UserError as error:
        return {"error": str(error)}
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
    if job.cut:
        made.save_model(str(folder / name / "written"))
    model = made.whole_model()
    seen = f"{made.method.trains_on}_probability"
    logged = [entry for entry in made.state.log_history if seen in entry]
    return {
        "type": made.accelerator.distributed_type.value,
        "processes": made.accelerator.num_processes,
        "in_shards": sorted(made.in_shards),
        "retained": made.retained,
        "curve": [[e[k] for k in ("loss", "grad_norm", seen)] for e in logged],
        "retain_weight": made.dual.weight,
        "state": None if model is None else model.state_dict(),
    }


def work(folder: Path, other: Path, jobs: dict[str, Job], processes: int = 1) -> dict[str, Any]:
    """Each job; those that are cut also uncut, and from where they, and others, were cut."""
    reference.TOKENS = 30  # so that its passes are many
    found = {}
    for name, job in jobs.items():
        found[name] = run(name, job, folder, processes)
        if job.cut:
            uncut = replace(job, cut=False)
            found[f"{name}: uncut"] = run(name, uncut, folder / "uncut", processes)
            for word, where in (("resumed", folder), ("taken over", other)):
                begun = where / name / f"checkpoint-{CUT}"
                if begun.is_dir():
                    again = replace(uncut, begun=str(begun))
                    found[f"{name}: {word}"] = run(name, again, folder / word, processes)
    return found


KINDS = ("full", "lora")


def exported(folder: Path, kind: str, processes: int) -> dict[str, float] | None:
    """Unlearn as a request says, and write the model as the pipeline does."""
    sets = [f"adapter.kind={kind}", "adapter.rank=2", f"train.batch_size={STEP}"]
    sets += ["train.epochs=2", "train.learning_rate=2e-3", "train.retain=kl", "train.stop_at=0"]
    sets += ["adapter.init=fila"] if kind == "lora" else []
    sets += ["device=cpu"] if "ACCELERATE_TORCH_DEVICE" not in os.environ else []
    flags = {"model": "m", "forget": "f", "out": "o"}
    request = load(flags=flags, sets=[*sets, "train.optim=sgd", "data.max_length=64"])
    model, method = tiny_llama(dtype=torch.float32), build("unilogit", {})
    tokenizer: Any = Vocabulary()
    data = TrainingData(forget=TO_FORGET, retain=TO_KEEP)
    done = unlearn_model(model, tokenizer, method, data, request, NoProgress())
    if done.model is None:
        return None
    whole = merge(done.model) if kind == "lora" else done.model
    save_model(whole, tokenizer, folder / f"exported {kind}")
    return done.facts


def on_gloo() -> None:
    """Let accelerate take CPUs for accelerators: on CPUs it drops FSDP without a word."""
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    PartialState._prepare_backend = lambda *args, **options: ("gloo", DistributedType.MULTI_GPU)  # type: ignore[method-assign]
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") != "true":  # which begins it itself
        torch.distributed.init_process_group("gloo")


def main(folder: str, other: str, *names: str) -> None:
    torch.set_num_threads(1)
    rank, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if {"ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"} & set(os.environ):
        on_gloo()
    jobs = {name: JOBS[name] for name in names or JOBS}
    found = work(Path(folder), Path(other), jobs, processes)
    found["exported"] = {kind: exported(Path(folder), kind, processes) for kind in KINDS}
    torch.save(found, Path(folder, f"{rank}.pt"))
    ended()


if __name__ == "__main__":
    main(*sys.argv[1:])
