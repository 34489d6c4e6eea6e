"""Memory of a step whose head and embedding are one weight: one gradient, or one for each.

    python benchmarks/tied.py

NPO on 4 texts of 64 tokens, 30% of them the answer, float32: a Llama of 2 layers of width 512 with
a vocabulary of 128,256, and a model of the shape of Gemma-3-270M. *Two gradients* is the same step
without `rowengine.tied`, as autograd makes it. Peaks are above the model, gradients included.
"""

import argparse
from contextlib import nullcontext
from typing import Any

import step
import torch
from measure import Call, Line, machine, peak, report
from transformers import AutoConfig, AutoModelForCausalLM

from unteach.rowengine import forward

JOB = step.Job("npo", tokens=64, layers=2)
GEMMA = JOB._replace(vocabulary=262_144, layers=18)
# MiB that the step with one gradient may take.
JOBS = (("Llama, 2 x 512, V = 128,256", JOB, 320), ("Gemma-3-270M, V = 262,144", GEMMA, 1050))


def gemma(job: step.Job) -> Any:
    """Random weights in the shape of Gemma-3-270M."""
    config = AutoConfig.for_model(
        "gemma3_text", vocab_size=job.vocabulary, num_hidden_layers=job.layers, hidden_size=640,
        intermediate_size=2048, num_attention_heads=4, num_key_value_heads=1, head_dim=256,
    )  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config)


def make(job: step.Job, *, one: bool) -> Call:
    if job.layers == GEMMA.layers:
        step.policy = gemma
    call = step.make_ours(job)
    if one:
        return call
    forward.one_gradient = lambda model: nullcontext()
    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a tiny model; keeps nothing")
    args = parser.parse_args()
    lines = []
    for name, job, most in JOBS:
        job = job._replace(vocabulary=1000) if args.smoke else job
        two, one = (peak(made, (job,)) for made in (make_two, make_one))
        lines.append(Line(f"{name} (at most {most})", "MiB", two, one))
        print(lines[-1], flush=True)
    print(f"\n{machine()}\n")
    report("tied", lines, keep=not args.smoke)


def make_one(job: step.Job) -> Call:
    return make(job, one=True)


def make_two(job: step.Job) -> Call:
    return make(job, one=False)


if __name__ == "__main__":
    main()
