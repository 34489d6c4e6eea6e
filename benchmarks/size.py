"""Is what `unteach size` says what training holds? Predicted and measured, case by case.

    python benchmarks/size.py --stories FOLDER        # the size of tensors, one process
    python benchmarks/size.py --processes             # and of two, under DDP and FSDP2

Measured is what three real optimiser steps on a CPU in float32 allocate (`held`), without what an
allocator rounds up and keeps. On a CPU a model that is loaded there before it is put in shards
is in the same memory, so "before training" has it too. The goal is 15% of the peak.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from held import Marks, held
from llamas import Shape, Tokenizer, llama, texts
from measure import RESULTS, write_csv
from transformers.trainer_callback import PrinterCallback

from unteach.methods import build
from unteach.sizing.setting import SizeSettings
from unteach.sizing.size import Size, size_of
from unteach.training.arguments import _checkpointing
from unteach.training.config import UnlearningConfig
from unteach.training.trainer import UnlearningTrainer

GOAL = 0.15
TIED = Shape(256, 4, 4, 2, 704, tied=True, vocabulary=8192)
WIDE = Shape(512, 4, 8, 4, 1408, tied=False, vocabulary=16_384)
SMALL = Shape(64, 2, 4, 2, 176, tied=True, vocabulary=1024)
DEEP = Shape(256, 16, 4, 2, 704, tied=False, vocabulary=4096)
SHAPES = {"tied": TIED, "wide": WIDE, "small": SMALL, "deep": DEEP}
HEADER = ["case", "part", "predicted MB", "measured MB", "error", "verdict"]


EXAMPLES = Path(__file__).parents[1] / "examples" / "accelerate"
LAUNCH = {
    "ddp": ["torch.distributed.run", "--standalone", "--nproc_per_node=2"],
    "fsdp": ["accelerate.commands.launch", "--config_file", str(EXAMPLES / "fsdp2.yaml"),
             "--num_processes", "2", "--mixed_precision", "no", "--main_process_port", "0"],
}  # fmt: skip


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
    sharding: str = "none"

    @property
    def processes(self) -> int:
        return 1 if self.sharding == "none" else 2

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
        parts += [f"2 processes, {self.sharding.upper()}"] if self.processes > 1 else []
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
    Case("wide", "graddiff", sharding="ddp"),
    Case("wide", "npo", kind="lora", sharding="ddp"),
    Case("wide", "undial", batch=2, accumulation=2, sharding="ddp"),
    Case("wide", "graddiff", sharding="fsdp"),
    Case("wide", "graddiff", batch=2, accumulation=2, sharding="fsdp"),
    Case("deep", "undial", sharding="fsdp", length=128),
    Case("deep", "graddiff", sharding="fsdp", length=256, checkpointing=True),
    Case("wide", "npo", kind="lora", sharding="fsdp"),
    Case("tied", "graddiff", sharding="fsdp", length=128),
]


def measured(case: Case, stories: Path | None = None) -> dict[str, int]:
    """Bytes, by moment and part."""

    def work(marks: Marks) -> None:
        model = model_of(case.shape, stories)
        vocabulary = model.config.vocab_size
        if case.kind == "lora":
            from unteach.adapters import LoraSettings, add_lora

            model = add_lora(model, LoraSettings())
        forget, retain = (_texts(role, case, vocabulary) for role in ("forget", "retain"))
        with tempfile.TemporaryDirectory() as folder:
            args = UnlearningConfig(
                output_dir=folder, use_cpu=case.sharding != "fsdp",
                per_device_train_batch_size=case.batch, max_steps=3, optim=case.optim,
                gradient_accumulation_steps=case.accumulation,
                disable_tqdm=True, ddp_find_unused_parameters=None,
                **_checkpointing(case.checkpointing),
            )  # fmt: skip
            trainer = UnlearningTrainer(
                model, method=build(case.method, {}), forget_dataset=forget,
                retain_dataset=retain, alternate_dataset=_alternates(case, vocabulary),
                args=args, processing_class=Tokenizer(vocabulary), callbacks=[marks],
            )  # fmt: skip
            assert trainer.accelerator.num_processes == case.processes
            assert (trainer.shell is not None) == (case.sharding == "fsdp")
            trainer.remove_callback(PrinterCallback)
            trainer.train()

    return held(work)


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
        SizeSettings(
            model=case.shape, config=config, method=method, retain=method.plan.retain,
            lora=case.kind == "lora", pairs=pairs, batch=case.batch, length=case.length,
            answers=round(case.answers * case.length), examples=16, optim=case.optim,
            checkpointing=case.checkpointing, cpu=True, dtype="float32", autocast=False,
            padded=case.padded, processes=case.processes,
            sharding=case.sharding,
        )
    )  # fmt: skip


def compared(case: Case, found: dict[str, int], size: Size) -> list[list]:
    """One line for each part and moment, and one for the peak."""
    totals = {moment.name: moment.total for moment in size.moments}
    totals["loading"] += size.host.get("the model while it is loaded", 0)
    standing = size.moments[-2].parts  # of the optimiser step
    said = {
        "weights": standing["weights"] + standing["adapters"],
        "gradients": standing["gradients"],
        "optimiser state": standing["optimiser state"],
        "before training": max(totals["loading"], totals["before training"]),
        "forward to backward": max(totals[n] for n in ("forward", "loss", "backward")),
        "optimiser step": totals["optimiser step"],
    }
    moments = ("before training", "forward to backward", "optimiser step")
    found = {**found, "peak": max(found[name] for name in moments)}
    said["peak"] = max(said[name] for name in moments)
    return [_line(str(case), part, said[part], found[part]) for part in said]


def _line(case: str, part: str, said: float, was: float) -> list:
    error = (said - was) / was if was else 0.0
    verdict = ("pass" if was and abs(error) <= GOAL else "miss") if part == "peak" else ""
    return [case, part, said / 1e6, was / 1e6, f"{error:+.1%}", verdict]


def model_of(shape: str, stories: Path | None) -> Any:
    if shape in SHAPES:
        return llama(SHAPES[shape])
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(str(stories), dtype="float32")


def checked(case: Case, stories: Path | None = None) -> list[list]:
    """Measured and predicted, in this process."""
    config = model_of(case.shape, stories).config
    return compared(case, measured(case, stories), predicted(case, config))


def in_two(number: int) -> list[list]:
    """A case of `TWO`, on two processes of this machine."""
    command = [sys.executable, "-m", *LAUNCH[TWO[number].sharding]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows")
        subprocess.run([*command, __file__, "--one", str(number), "--to", str(file)], check=True)
        rows = [line.split("\t") for line in file.read_text("utf-8").splitlines()]
    return [[r[0], r[1], float(r[2]), float(r[3]), *r[4:]] for r in rows]


def _as_one_of_two(number: int, to: Path) -> None:
    import torch.distributed as dist

    if TWO[number].sharding == "fsdp":
        _on_gloo()
    rows = checked(TWO[number])
    if os.environ["RANK"] == "0":
        to.write_text("\n".join("\t".join(map(str, row)) for row in rows), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)  # gloo may abort at exit, after all work is done


def _on_gloo() -> None:
    """Let accelerate take CPUs for accelerators: on CPUs it drops FSDP without a word."""
    import torch.distributed as dist
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    PartialState._prepare_backend = lambda *args, **options: ("gloo", DistributedType.MULTI_GPU)  # type: ignore[method-assign]
    dist.init_process_group("gloo")


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
