"""Peak memory and speed of every method on a CUDA card, on Llama's shapes with random weights.

    python benchmarks/gpu.py --out benchmarks/results/gpu           # unattended; about half an hour
    python benchmarks/gpu.py --tiny --device cpu --out somewhere    # does it run at all?

Llama-3.2-1B, all weights, and Llama-3.1-8B, adapters of rank 16, in bfloat16: 8 texts of 512 tokens
in each group, 30% of them the answer, with activation checkpointing; the optimiser is SGD, which
keeps nothing. Steps are those of `UnlearningTrainer.train`, the first ones of a run not counted.
Beside them, for UnDIAL on the 1B, the usual way (`step.py`). Each figure is of a process of its
own; one that runs out of memory says so. What is done is in the JSON file and not done again.
"""

import argparse
import copy
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import step
import torch
from llamas import SHAPES, Tokenizer, llama, texts
from measure import alone, write_csv
from runs import markdown, read, write
from torch.utils.flop_counter import FlopCounterMode
from transformers import PrinterCallback, TrainerCallback

WARM, COUNTED = 3, 5  # steps; one more counts operations
LLAMA_1B, LLAMA_8B = "Llama-3.2-1B", "Llama-3.1-8B"
RATE = "matrix rate"


class Job(NamedTuple):
    model: str
    method: str
    retain: str | None = None  # None is the method's own
    usual: bool = False

    def __str__(self) -> str:
        parts = [self.model, self.method]
        parts += [] if self.retain is None else [f"retain {self.retain}"]
        return ", ".join(parts + ["the usual way"] * self.usual)


def jobs() -> list[Job]:
    """What goals are set for comes first."""
    from unteach.methods import METHODS

    first = [
        Job(LLAMA_1B, "undial", "none"),
        Job(LLAMA_8B, "undial", "none"),
        Job(LLAMA_1B, "undial", "none", usual=True),
        Job(LLAMA_1B, "undial", "nll", usual=True),
        Job(LLAMA_1B, "undial", "kl"),
        Job(LLAMA_1B, "undial", "kl", usual=True),
        Job(LLAMA_8B, "undial", "kl"),
    ]
    return first + [Job(model, name) for model in (LLAMA_1B, LLAMA_8B) for name in METHODS]


class Setting(NamedTuple):
    device: str
    batch: int = 8
    tokens: int = 512
    tiny: bool = False


# What is measured, in a process of its own.


def measured(job: Job, setting: Setting) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    try:
        model = built(job.model, setting)
        return (usual if job.usual else ours)(job, model, setting)
    except torch.cuda.OutOfMemoryError:
        return {"failed": "out of memory"}
    except Exception as error:  # the others must still be measured
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]}


def built(name: str, setting: Setting) -> Any:
    from unteach.adapters import LoraSettings, add_lora

    shape = SHAPES[name]
    if setting.tiny:
        shape = shape._replace(width=64, layers=2, heads=4, groups=2, inner=128, vocabulary=1000)
    model = llama(shape, dtype=torch.bfloat16, device=setting.device)
    return add_lora(model, LoraSettings(rank=16)) if name == LLAMA_8B else model


def ours(job: Job, model: Any, setting: Setting) -> dict[str, Any]:
    from unteach.engine.config import UnlearningConfig
    from unteach.engine.trainer import UnlearningTrainer
    from unteach.methods import build

    steps = WARM + COUNTED + 1
    vocabulary = model.config.vocab_size
    forget = texts("forget", setting.batch * steps, setting.tokens, vocabulary)
    method, watch = build(job.method, {}), Watch(setting.device)
    alternates = texts("alternate", len(forget), setting.tokens, vocabulary)
    run = UnlearningTrainer(
        model,
        method=method,
        forget_dataset=forget,
        retain_dataset=texts("retain", len(forget), setting.tokens, vocabulary),
        alternate_dataset=[replace(s, id=f"forget-{k}") for k, s in enumerate(alternates)],
        args=UnlearningConfig(
            output_dir=tempfile.mkdtemp(),
            use_cpu=setting.device == "cpu",
            disable_tqdm=True,
            per_device_train_batch_size=setting.batch,
            num_train_epochs=1,
            learning_rate=1e-6,
            stop_at=0.0,
            optim="sgd",
            max_grad_norm=0.0,
            logging_strategy="no",
            gradient_checkpointing=True,
            gradient_checkpointing_kwargs={"use_reentrant": False},
            retain=job.retain,
        ),
        processing_class=Tokenizer(vocabulary),  # type: ignore[arg-type]
        callbacks=[watch],
    )
    run.remove_callback(PrinterCallback)
    run.train()
    groups = 1 + (run.retain_name != "none") + ("alternate" in run.reads)
    return watch.found() | {"tokens": groups * setting.batch * setting.tokens}


def usual(job: Job, model: Any, setting: Setting) -> dict[str, Any]:
    """Of its retain NLL the weight is 0, as a popular port has it by default."""
    before = copy.deepcopy(model).eval().requires_grad_(False)
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    small = step.Job(job.method, job.retain or "none", batch=setting.batch, tokens=setting.tokens,
                     vocabulary=model.config.vocab_size, idle=job.retain == "nll")  # fmt: skip
    call = step.usual(small, model, before, setting.device)
    optimizer, watch = torch.optim.SGD(model.parameters(), lr=1e-6), Watch(setting.device)
    for number in range(WARM + COUNTED + 1):
        watch.begin(number)
        call()
        optimizer.step()
        optimizer.zero_grad()
        watch.end(number)
    groups = 1 + (job.retain != "none")
    return watch.found() | {"tokens": groups * setting.batch * setting.tokens}


class Watch(TrainerCallback):
    """Seconds and peak memory of each step, and the operations of the last."""

    def __init__(self, device: str):
        self.cuda = device != "cpu"
        self.seconds: list[float] = []
        self.peaks: list[float] = []
        self.operations = FlopCounterMode(display=False)

    def on_step_begin(self, args, state, control, **kwargs):
        self.begin(state.global_step)

    def on_step_end(self, args, state, control, **kwargs):
        self.end(state.global_step - 1)

    def begin(self, number: int) -> None:
        if self.cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        if number == WARM + COUNTED:
            self.operations.__enter__()
        self.began = time.perf_counter()

    def end(self, number: int) -> None:
        if self.cuda:
            torch.cuda.synchronize()
        spent = time.perf_counter() - self.began
        if number == WARM + COUNTED:
            self.operations.__exit__(None, None, None)
        elif number >= WARM:
            self.seconds.append(spent)
            self.peaks.append(torch.cuda.max_memory_allocated() / 1e9 if self.cuda else 0.0)

    def found(self) -> dict[str, Any]:
        return {
            "seconds": median(self.seconds),
            "slowest": max(self.seconds),
            "peak_gb": max(self.peaks),
            "tflop": self.operations.get_total_flops() / 1e12,
        }


def rate(device: str, size: int = 8192, times: int = 20) -> dict[str, Any]:
    """TFLOP/s of one large bfloat16 product."""
    size = size if device != "cpu" else 256
    a, b = torch.randn(2, size, size, dtype=torch.bfloat16, device=device)
    spent = []
    for _ in range(times + 3):
        if device != "cpu":
            torch.cuda.synchronize()
        began = time.perf_counter()
        torch.mm(a, b)
        if device != "cpu":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - began)
    card = torch.cuda.get_device_name() if device != "cpu" else "a CPU"
    return {"card": card, "torch": torch.__version__, "tflops": 2e-12 * size**3 / median(spent[3:])}


# All of it, and the page.

HEADER = ["job", "peak GB", "s a step", "tokens/s", "TFLOP a step", "of the matrix rate", "remark"]


def row(name: str, found: dict[str, Any], tflops: float) -> list[str]:
    if "failed" in found:
        return [name, "-", "-", "-", "-", "-", found["failed"]]
    seconds, tflop = found["seconds"], found["tflop"]
    speed = found["tokens"] / seconds
    cells = [f"{found['peak_gb']:.1f}", f"{seconds:.3f}", f"{speed:.0f}", f"{tflop:.1f}"]
    return [name, *cells, f"{tflop / seconds / tflops:.0%}", ""]


def page(done: dict[str, Any]) -> str:
    base = done[RATE]
    rows = [row(name, found, base["tflops"]) for name, found in done.items() if name != RATE]
    head = __doc__.split("\n\n")  # type: ignore[union-attr]
    about = (
        f"{base['card']}, torch {base['torch']}; one large product: {base['tflops']:.0f} TFLOP/s."
    )
    return "\n\n".join([f"# {head[0]}", head[2].strip(), about, markdown(HEADER, rows)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--out", type=Path, required=True, help="of files .json, .csv and .md")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], help="jobs with one of these in the name")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no figure after these")
    args = parser.parse_args()
    began, file = time.monotonic(), args.out.with_suffix(".json")
    setting = Setting(args.device, *((2, 32) if args.tiny else ()), tiny=args.tiny)
    tasks: list[tuple[str, Callable, tuple]] = [(RATE, rate, (args.device,))]
    tasks += [(str(job), measured, (job, setting)) for job in jobs()]
    for name, function, arguments in tasks:
        done = read(file) if file.exists() else {}
        late = time.monotonic() - began > 60 * args.minutes
        wanted = name == RATE or not args.only or any(part in name for part in args.only)
        if name in done or late or not wanted:
            continue
        done[name] = alone(function, *arguments)
        print(name, done[name], flush=True)
        write(file, done)
    done = read(file)
    args.out.with_suffix(".md").write_text(page(done), encoding="utf-8")
    rows = [row(name, found, done[RATE]["tflops"]) for name, found in done.items() if name != RATE]
    write_csv(args.out.with_suffix(".csv"), HEADER, rows)


if __name__ == "__main__":
    main()
