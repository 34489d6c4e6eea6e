"""One training step, forward and backward, against the way it is usually programmed.

    python benchmarks/step.py

A Llama of 8 layers of width 512, a vocabulary of 128,256 tied to the embedding, float32, 4 texts of
256 tokens in each group, 30% of them the answer. The usual way: every model call is given labels,
so that it also makes the cross-entropy over all positions; the model before is a copy that runs
in every step; the loss is that of `naive.py` over all positions; the retain term is a forward of
its own, and for a KL a second one beside the first. Ours is the step of `UnlearningTrainer`.
"""

import argparse
import copy
import tempfile
from typing import Any, NamedTuple

import naive
import torch
from llamas import SHAPES, Tokenizer, llama, texts
from measure import Call, Line, machine, peak, report, seconds

from unteach.losses.retain import retain_reads
from unteach.methods import build
from unteach.rowengine.batch import Pair
from unteach.rowengine.reference import Reference
from unteach.rowengine.rows import count
from unteach.training.config import UnlearningConfig
from unteach.training.trainer import UnlearningTrainer

STRENGTH, BETA = 10.0, 0.1


class Job(NamedTuple):
    method: str
    retain: str = "none"
    frozen: bool = False
    once: bool = False
    """Whether the usual way runs the model once on the retain texts, not twice, for a KL."""
    idle: bool = False
    """Whether the usual way weighs the retain term with 0."""
    batch: int = 4
    tokens: int = 256
    vocabulary: int = 128_256
    layers: int = 8

    def __str__(self) -> str:
        parts = [self.method, f"retain {self.retain}"]
        parts += ["frozen head"] * self.frozen + ["one retain forward"] * self.once
        return ", ".join(parts)

    def small(self) -> "Job":
        return self._replace(batch=2, tokens=16, vocabulary=1000, layers=2)


def policy(job: Job) -> Any:
    shape = SHAPES["small"]._replace(vocabulary=job.vocabulary, layers=job.layers)
    model = llama(shape)
    model.get_output_embeddings().weight.requires_grad_(not job.frozen)
    return model


def data(job: Job) -> tuple[list, list]:
    kept = texts("retain", job.batch, job.tokens, job.vocabulary)
    forget = texts("forget", job.batch, job.tokens, job.vocabulary)
    return forget, kept if job.retain != "none" else []


# The usual way.


def make_naive(job: Job) -> Call:
    model = policy(job)
    before = copy.deepcopy(model).eval().requires_grad_(False)
    return usual(job, model, before, "cpu")


def usual(job: Job, model: Any, before: Any, device: str) -> Call:
    forget, retain = (inputs(group, device) for group in data(job))

    def call() -> None:
        model.zero_grad()
        loss, outputs = forget_loss(job, model, before, forget)
        if job.retain != "none":
            held, more = retain_loss(job, model, before, retain)
            loss, outputs = loss + held * (not job.idle), (outputs, more)
        loss.backward()

    return call


def inputs(group: list, device: str) -> dict:
    if not group:
        return {}
    ids = torch.tensor([s.ids for s in group], device=device)
    answer = torch.tensor([s.answer for s in group], device=device)
    labels = torch.where(answer, ids, naive.IGNORED)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def forget_loss(job: Job, model: Any, before: Any, batch: dict) -> tuple[Any, Any]:
    """The loss, and what the model gave, which lives until the step is done."""
    found = model(**batch, use_cache=False)
    with torch.no_grad():
        then = before(**batch, use_cache=False)
    if job.method == "undial":
        return naive.undial(found.logits, then.logits, batch["labels"], strength=STRENGTH), found
    reference = -naive.answer_nll(then.logits, batch["labels"])
    return naive.npo(found.logits, batch["labels"], reference, beta=BETA), found


def retain_loss(job: Job, model: Any, before: Any, batch: dict) -> tuple[Any, Any]:
    first = None if job.once else model(**batch, use_cache=False)
    if job.retain == "nll":
        return first.loss, first
    with torch.no_grad():
        then = before(**batch, use_cache=False)
    found = model(**batch, use_cache=False)
    return naive.kl_to_reference(found.logits, then.logits, batch["labels"]), (first, found)


# Ours.


def make_ours(job: Job) -> Call:
    model = policy(job)
    forget, retain = data(job)
    options = {"strength": STRENGTH} if job.method == "undial" else {"beta": BETA}
    args = UnlearningConfig(
        output_dir=tempfile.mkdtemp(),
        use_cpu=True,
        disable_tqdm=True,
        retain=job.retain,
        retain_weight=1.0,
    )
    run = UnlearningTrainer(
        model,
        method=build(job.method, options),
        forget_dataset=forget,
        retain_dataset=retain,
        args=args,
        processing_class=Tokenizer(job.vocabulary),  # type: ignore[arg-type]
    )
    reads = run.method.needs(), retain_reads(run.retain_name)
    run._reference = Reference(model, *reads, run.pairs)  # as `train` does
    batch = run.pairs.collate([Pair(k, k if retain else None) for k in range(job.batch)])
    counts = count([batch])

    def call() -> None:
        model.zero_grad()
        run.training_step(model, batch, counts)

    return call


# The comparison.

JOBS = (
    # the job, then what the usual way must be over ours in seconds and in MiB
    (Job("undial"), 2.0, 5.0),
    (Job("undial", "kl"), 2.3, 5.0),
    (Job("undial", "kl", once=True), None, None),
    (Job("npo", "nll"), 2.0, None),
    (Job("undial", frozen=True), 2.0, 9.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a tiny model; keeps nothing")
    parser.add_argument("--pairs", type=int, default=3)
    args = parser.parse_args()
    lines = []
    for job, faster, leaner in JOBS:
        if args.smoke:
            job = job.small()
        times = seconds([(make_naive, (job,)), (make_ours, (job,))], args.pairs)
        small = (job.small(),)
        peaks = [peak(make, (job,), small) for make in (make_naive, make_ours)]
        lines += [Line(str(job), "s", *times, faster), Line(str(job), "MiB", *peaks, leaner)]
        print(lines[-2], lines[-1], sep="\n", flush=True)
    print(f"\n{machine()}\n")
    report("step", lines, keep=not args.smoke)


if __name__ == "__main__":
    main()
