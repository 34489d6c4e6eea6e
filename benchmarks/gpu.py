"""Peak memory and speed of every method on a CUDA card, on Llama's shapes with random weights.

    python benchmarks/gpu.py --out benchmarks/results/gpu  # unattended
    python benchmarks/gpu.py --tiny --device cpu --out somewhere    # does it run at all?

Llama-3.2-1B, all weights, and Llama-3.1-8B, adapters of rank 16, in bfloat16: 8 texts of 512 tokens
in each group, 30% of them the answer, with activation checkpointing; the optimiser is SGD, which
keeps nothing. Steps are those of `UnlearningTrainer.train`, the first ones of a run not counted.
Beside them, for UnDIAL on the 1B, the usual way (`step.py`). Each figure is of a process of its
own; one that runs out of memory says so. What is done is in the JSON file and not done again.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_figures import LLAMA_1B, LLAMA_8B, Job, Setting, measured, rate
from measure import alone, write_csv
from runs import markdown, read, write

RATE = "matrix rate"


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
