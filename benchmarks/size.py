"""Is what `unteach size` says what training holds? Predicted and measured, case by case.

    python benchmarks/size.py --stories FOLDER        # the size of tensors, one process
    python benchmarks/size.py --processes             # and of two, under DDP

Measured are live tensor bytes of three real optimiser steps on a CPU in float32 (`sizing.live`):
they are the same on every machine, and hold no allocator's rounding. The goal is 15% of the peak.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from llamas import Shape, Tokenizer, llama, texts
from measure import RESULTS, write_csv
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from unteach.engine.config import UnlearningConfig
from unteach.engine.trainer import UnlearningTrainer
from unteach.engine.unlearn import _checkpointing
from unteach.methods import build
from unteach.sizing.live import Live
from unteach.sizing.setting import Setting
from unteach.sizing.size import Size, size_of

GOAL = 0.15
TIED = Shape(256, 4, 4, 2, 704, tied=True, vocabulary=8192)
WIDE = Shape(512, 4, 8, 4, 1408, tied=False, vocabulary=16_384)
SMALL = Shape(64, 2, 4, 2, 176, tied=True, vocabulary=1024)
SHAPES = {"tied": TIED, "wide": WIDE, "small": SMALL}
HEADER = ["case", "part", "predicted MB", "measured MB", "error", "verdict"]


class Case(NamedTuple):
    """One run; what is left out is the method's own."""

    shape: str
    method: str
    kind: str = "full"
    length: int = 64
    batch: int = 4
    accumulation: int = 1
    checkpointing: bool = False
    optim: str = "adamw_torch_fused"
    answers: float = 0.3
    padded: bool = False
    processes: int = 1

    def __str__(self) -> str:
        parts = [
            self.shape,
            self.method,
            self.kind,
            f"{self.batch}x{self.accumulation}x{self.length}",
        ]
        parts += ["checkpointing"] if self.checkpointing else []
        parts += [self.optim] if self.optim != "adamw_torch_fused" else []
        parts += ["padded"] if self.padded else []
        parts += [f"{self.processes} processes, DDP"] if self.processes > 1 else []
        return ", ".join(parts)


CASES = [
    Case("tied", "graddiff"),
    Case("wide", "graddiff"),
    Case("wide", "undial"),
    Case("wide", "npo"),
    Case("wide", "dpo", batch=2),
    Case("wide", "rmu"),
    Case("wide", "pdu"),
    Case("wide", "undial", kind="lora"),
    Case("wide", "npo", kind="lora", checkpointing=True),
    Case("tied", "undial", kind="lora", length=256, batch=8),
    Case("wide", "graddiff", batch=2, accumulation=2),
    Case("tied", "graddiff", batch=2, accumulation=2),
    Case("wide", "graddiff", checkpointing=True),
    Case("wide", "graddiff", length=256, checkpointing=True),
    Case("wide", "graddiff", length=256),
    Case("wide", "graddiff", length=256, padded=True),
    Case("wide", "kl-min", length=256, answers=0.9, batch=2),
    Case("wide", "graddiff", optim="adafactor"),
    Case("wide", "graddiff", optim="adamw_torch"),
    Case("wide", "graddiff", optim="sgd"),
]
STORIES = [
    Case("stories3M", "undial"),
    Case("stories3M", "undial", length=256, batch=8, padded=True),
    Case("stories3M", "npo", kind="lora", length=128),
    Case("stories3M", "graddiff", checkpointing=True, length=256),
]
TWO = [
    Case("wide", "graddiff", processes=2),
    Case("wide", "npo", kind="lora", processes=2),
    Case("wide", "undial", batch=2, accumulation=2, processes=2),
]


class Marks(TrainerCallback):
    """The peaks between a trainer's moments, and what stands at some of them."""

    def __init__(self, live: Live):
        self.live, self.measured, self.at = live, {}, "before training"

    def on_step_begin(self, args, state, control, **kwargs):
        self._mark("forward to backward")

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        self.measured["gradients"] = sum(g.untyped_storage().nbytes() for g in grads)
        self._mark("optimiser step")

    def on_step_end(self, args, state, control, optimizer=None, **kwargs):
        kept = [v for s in optimizer.state.values() for v in s.values() if hasattr(v, "nbytes")]
        self.measured["optimiser state"] = sum(v.nbytes for v in kept)
        self._mark("after")

    def _mark(self, name: str) -> None:
        self.measured[self.at] = max(self.measured.get(self.at, 0), self.live.peak)
        self.live.peak, self.at = self.live.now, name


def measured(case: Case, model: Any) -> dict[str, int]:
    """Bytes, by moment and part."""
    vocabulary = model.config.vocab_size
    if case.kind == "lora":
        from unteach.adapters import LoraSettings, add_lora

        model = add_lora(model, LoraSettings())
    forget, retain = (_texts(role, case, vocabulary) for role in ("forget", "retain"))
    with tempfile.TemporaryDirectory() as folder:
        args = UnlearningConfig(
            output_dir=folder, use_cpu=True, per_device_train_batch_size=case.batch,
            gradient_accumulation_steps=case.accumulation, max_steps=3, optim=case.optim,
            disable_tqdm=True, ddp_find_unused_parameters=None,
            **_checkpointing(case.checkpointing),
        )  # fmt: skip
        trainer = UnlearningTrainer(
            model, method=build(case.method, {}), forget_dataset=forget, retain_dataset=retain,
            alternate_dataset=_alternates(case, vocabulary),
            args=args, processing_class=Tokenizer(vocabulary),
        )  # fmt: skip
        assert trainer.accelerator.num_processes == case.processes
        trainer.remove_callback(PrinterCallback)
        live = Live([*model.parameters(), *model.buffers()])
        marks = Marks(live)
        trainer.add_callback(marks)
        weights = live.now
        with live:
            trainer.train()
    return {"weights": weights, **marks.measured}


def _texts(role: str, case: Case, vocabulary: int) -> list:
    found = texts(role, 16, case.length, vocabulary, answers=case.answers)
    if not case.padded:
        return found
    return [  # every second one a token shorter: the batch is as long as ever, and has padding
        replace(s, ids=s.ids[: len(s.ids) - k % 2], answer=s.answer[: len(s.answer) - k % 2])
        for k, s in enumerate(found)
    ]


def _alternates(case: Case, vocabulary: int) -> list | None:
    if "alternate" not in build(case.method, {}).needs():
        return None
    own, other = (_texts(role, case, vocabulary) for role in ("forget", "retain"))
    return [replace(b, id=a.id) for a, b in zip(own, other, strict=True)]


def predicted(case: Case, config: Any) -> Size:
    method = build(case.method, {})
    pairs = case.batch * case.accumulation * case.processes
    return size_of(
        Setting(
            model=case.shape, config=config, method=method, retain=method.plan.retain,
            lora=case.kind == "lora", pairs=pairs, batch=case.batch, length=case.length,
            answers=round(case.answers * case.length), examples=16, optim=case.optim,
            checkpointing=case.checkpointing, cpu=True, dtype="float32", autocast=False,
            padded=case.padded, processes=case.processes,
            sharding="ddp" if case.processes > 1 else "none",
        )
    )  # fmt: skip


def compared(case: Case, found: dict[str, int], size: Size) -> list[list]:
    """One line for each part and moment, and one for the peak."""
    totals = {moment.name: moment.total for moment in size.moments}
    standing = size.moments[-1].parts
    said = {
        "weights": standing["weights"] + standing["adapters"],
        "gradients": standing["gradients"],
        "optimiser state": standing["optimiser state"],
        "before training": max(totals["loading"], totals["before training"]),
        "forward to backward": max(totals[n] for n in ("forward", "loss", "backward")),
        "optimiser step": totals["optimiser step"],
        "peak": size.total,
    }
    moments = ("before training", "forward to backward", "optimiser step")
    found = {**found, "peak": max(found[name] for name in moments)}
    return [_line(str(case), part, said[part], found[part]) for part in said]


def _line(case: str, part: str, said: float, was: float) -> list:
    error = (said - was) / was if was else 0.0
    verdict = ("pass" if abs(error) <= GOAL else "miss") if part == "peak" else ""
    return [case, part, said / 1e6, was / 1e6, f"{error:+.1%}", verdict]


def model_of(shape: str, stories: Path | None) -> Any:
    if shape in SHAPES:
        return llama(SHAPES[shape])
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(str(stories), dtype="float32")


def checked(case: Case, stories: Path | None = None) -> list[list]:
    """Measured and predicted, in this process."""
    model = model_of(case.shape, stories)
    config = model.config
    return compared(case, measured(case, model), predicted(case, config))


def in_two(number: int) -> list[list]:
    """A case of `TWO`, on two processes of this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows")
        subprocess.run([*command, __file__, "--one", str(number), "--to", str(file)], check=True)
        rows = [line.split("\t") for line in file.read_text("utf-8").splitlines()]
    return [[r[0], r[1], float(r[2]), float(r[3]), *r[4:]] for r in rows]


def _as_one_of_two(number: int, to: Path) -> None:
    import torch.distributed as dist

    rows = checked(TWO[number])
    if os.environ["RANK"] == "0":
        to.write_text("\n".join("\t".join(map(str, row)) for row in rows), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)  # gloo may abort at exit, after all work is done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=Path, help="the folder of a small Llama")
    parser.add_argument("--processes", action="store_true", help="two of them too")
    parser.add_argument("--smoke", action="store_true", help="one case; keeps nothing")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        _as_one_of_two(args.one, args.to)
    rows = []
    for case in [*CASES, *(STORIES if args.stories else [])][: 1 if args.smoke else None]:
        rows += checked(case, args.stories)
        print(*rows[-1], flush=True)
    for number in range(len(TWO)) if args.processes else ():
        rows += in_two(number)
        print(*rows[-1], flush=True)
    if not args.smoke:
        write_csv(RESULTS / "size.csv", HEADER, rows)


if __name__ == "__main__":
    main()
