"""The figures of `gpu.py`: each function is called in a process of its own."""

import copy
import tempfile
import time
import warnings
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import step
import torch
from llamas import SHAPES, Tokenizer, llama, texts
from torch.utils.flop_counter import FlopCounterMode
from transformers import PrinterCallback, TrainerCallback

WARM, COUNTED = 3, 5  # steps; one more counts operations
LLAMA_1B, LLAMA_8B = "Llama-3.2-1B", "Llama-3.1-8B"


class Job(NamedTuple):
    model: str
    method: str
    retain: str | None = None  # None is the method's own
    usual: bool = False

    def __str__(self) -> str:
        parts = [self.model, self.method]
        parts += [] if self.retain is None else [f"retain {self.retain}"]
        return ", ".join(parts + ["the usual way"] * self.usual)


class Setting(NamedTuple):
    device: str
    batch: int = 8
    tokens: int = 512
    tiny: bool = False


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
    from unteach.methods import build
    from unteach.training.config import UnlearningConfig
    from unteach.training.trainer import UnlearningTrainer

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
