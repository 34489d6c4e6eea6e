"""TOFU's forget10 with a model that learned all of TOFU: every method, side by side.

    python benchmarks/tofu.py learn --tofu TOFU_FOLDER --out case     # two models from nothing
    python benchmarks/tofu.py unlearn --case case --work runs         # every method, two rates
    python benchmarks/tofu.py table --work runs --out benchmarks/results/tofu.md

The models are the smallest that learn TOFU on a CPU (a Llama of 2.6M parameters, from scratch,
about fifty minutes each on one thread). `full` knows the 4,000 pairs, `retrained` the 3,600 of
retain90; both learn TOFU's real authors and world facts, which stand for what a pretrained model
knows.
"""

import argparse
import json
import os
from multiprocessing import get_context
from pathlib import Path

FILES = {
    "forget": "forget10_perturbed.jsonl",
    "retain": "retain90.jsonl",
    "retain_scored": "retain_perturbed.jsonl",
    "authors": "real_authors_perturbed.jsonl",
    "facts": "world_facts_perturbed.jsonl",
}
LEARNED = {
    "full": ("forget", "retain", "authors", "facts"),
    "retrained": ("retain", "authors", "facts"),
}


ROUNDS = ((40, 3e-3), (20, 1e-3))  # epochs and learning rate, each falling to 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("learn")
    command.add_argument("--tofu", type=Path, required=True)
    command.add_argument("--out", type=Path, required=True)
    command.set_defaults(do=learn)
    command = commands.add_parser("unlearn")
    command.add_argument("--case", type=Path, required=True)
    command.add_argument("--work", type=Path, required=True)
    command.add_argument("--workers", type=int, default=os.cpu_count())
    command.add_argument("--methods", nargs="+", help="some alone")
    command.set_defaults(do=unlearn)
    command = commands.add_parser("table")
    command.add_argument("--work", type=Path, required=True)
    command.add_argument("--out", type=Path, required=True)
    command.set_defaults(do=table)
    args = parser.parse_args()
    args.do(args)


def learn(args):
    """Write the case: files, tokenizer, and both models, trained side by side."""
    from unteach.demo.train import train_tokenizer

    (args.out / "data").mkdir(parents=True)
    texts = []
    for name, file in FILES.items():
        text = (args.tofu / file).read_text(encoding="utf-8")
        (args.out / "data" / f"{name}.jsonl").write_text(text, encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        if name != "retain_scored":  # they stand in retain already
            texts += [f"Question: {row['question']}\nAnswer: {row['answer']}" for row in rows]
    tokenizer = train_tokenizer(texts, vocabulary=4096, context=256)
    tokenizer.save_pretrained(args.out / "tokenizer")
    context = get_context("spawn")
    jobs = [
        context.Process(target=train, args=(args.out, name, seed))
        for seed, name in enumerate(LEARNED)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()


def train(case, name, seed):
    import torch

    from unteach.data import encode_all, read
    from unteach.demo.settings import Preset
    from unteach.demo.train import train_model
    from unteach.models.loading import load_tokenizer

    torch.set_num_threads(1)
    tokenizer = load_tokenizer(str(case / "tokenizer"))
    sequences = []
    for group in LEARNED[name]:
        examples, _ = read(str(case / "data" / f"{group}.jsonl"), group)
        sequences += encode_all(examples, tokenizer, max_length=256)[0]
    size = {"hidden": 192, "layers": 4, "vocabulary": 4096, "context": 256}
    model = None
    for epochs, rate in ROUNDS:
        model = train_model(
            sequences,
            vocabulary=len(tokenizer),
            seed=seed,
            preset=Preset(**size, epochs=epochs, rate=rate),
            model=model,
            progress=lambda done, total, detail: print(name, f"{done}/{total}", detail, flush=True),
        )
    model.save_pretrained(case / name)
    tokenizer.save_pretrained(case / name)


def unlearn(args):
    """Every method at both rates; what is done is kept in the work folder."""
    from runs import run_all
    from tofu_runs import FACTORS, once, yardsticks

    from unteach.methods import METHODS

    case, work = args.case.resolve(), args.work.resolve()
    if not (work / "full.json").exists():
        run_all({"scoring full and retrained": (yardsticks, (case, work))}, 1)
    names = args.methods or list(METHODS)
    jobs = {f"{n}, rate x {f:.2g}": (once, (case, work, n, f)) for f in FACTORS for n in names}
    run_all(jobs, args.workers)


def table(args):
    from runs import publish
    from tofu_runs import page

    publish(args.out, page(args.work))


if __name__ == "__main__":
    main()
