"""Does it matter which tokens are chosen? DTO and FUnDIAL on the demo's world, by selector.

    python benchmarks/selected_unlearning.py --out benchmarks/results/selectors-demo-unlearning.md

The demo's settings of each method, but for what the first column says; the mean of the worlds, and
forget quality for each of them. Spans are the facts themselves: an oracle.
"""

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

RUNS = {
    "dto (delta)": ("dto", {}, {}),
    "dto subject": ("dto", {"selector": "subject"}, {}),
    "dto informative": ("dto", {"selector": "informative"}, {}),
    "dto spans": ("dto", {"selector": "spans"}, {}),
    "dto subject, unlikelihood, rate 1e-3": (
        "dto",
        {"selector": "subject", "objective": "unlikelihood"},
        {"learning_rate": 1e-3},
    ),
    "dto spans, unlikelihood, rate 1e-3": (
        "dto",
        {"selector": "spans", "objective": "unlikelihood"},
        {"learning_rate": 1e-3},
    ),
    "undial": ("undial", {}, {}),
    "undial subject": ("undial", {"focus": "subject"}, {}),
    "undial subject, all": ("undial", {"focus": "subject", "normalise": "all"}, {}),
    "undial subject, soft": ("undial", {"focus": "subject", "focus_mode": "soft"}, {}),
    "undial informative": ("undial", {"focus": "informative"}, {}),
    "undial spans": ("undial", {"focus": "spans"}, {}),
}
QUESTIONS = {
    "fact given": ("forget", "fact_recall"),
    "forget p": ("forget", "probability"),
    "forget ROUGE-L": ("forget", "rouge_l_recall"),
    "membership AUC": ("forget", "membership_auc_loss"),
    "retain p": ("retain", "probability"),
    "world p": ("world", "probability"),
    "utility": ("retain", "model_utility"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--work", type=Path, help="where demo models are kept between calls")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        worlds = [((args.work or Path(folder)) / f"{args.preset}-{s}", s) for s in args.seeds]
        with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(world, [(w, s, args.preset) for w, s in worlds]))
            models = [(*w, name) for w in worlds for name in ("original", "retrained")]
            list(pool.map(train, [(*m, args.preset) for m in models]))
            jobs = [(*w, label) for label in RUNS for w in worlds]
            reports = dict(zip([(j[2], j[1]) for j in jobs], pool.map(once, jobs), strict=True))
    text = table(reports, args)
    print(text)
    if args.out:
        args.out.write_text(text)


def world(job):
    """The world's files, once, with the facts as spans."""
    import json

    from unteach.demo import jobs

    folder, seed, preset = job
    if not folder.exists():
        jobs.prepare(folder, seed, preset, lambda *_: None)
    path = folder / "data" / "forget.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        start = row["answer"].rindex(row["fact"])
        row["spans"] = [[start, start + len(row["fact"])]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def train(job):
    import torch

    from unteach.demo import jobs

    folder, seed, name, preset = job
    torch.set_num_threads(1)
    if not (folder / name).exists():
        jobs.train(folder, name, seed + (name != "original"), preset, lambda *_: None)


def once(job):
    """One run; its report."""
    folder, seed, label = job
    import torch

    torch.set_num_threads(1)
    from unteach import pipeline
    from unteach.demo import jobs

    method, options, train = RUNS[label]
    asked = jobs.request(folder, method, "x", seed)
    with tempfile.TemporaryDirectory() as out:
        changed = {
            "out": Path(out) / "out",
            "retrained": str(folder / "retrained"),
            "method": {**asked.method, **options},
            "train": asked.train.model_copy(update=train),
        }
        return pipeline.run(asked.model_copy(update=changed))


def table(reports, args):
    import unteach
    from unteach.report.table import number

    seeds = args.seeds
    names = [*QUESTIONS, *(f"forget quality, seed {s}" for s in seeds)]
    lines = [
        "# Which tokens are chosen, and what becomes of it, in the demo's world",
        "",
        f"By `benchmarks/selected_unlearning.py`, preset {args.preset}, mean over seeds "
        f"{', '.join(map(str, seeds))}, unteach {unteach.__version__}. Settings of the demo "
        "(`demo/settings.py`), not tuned for any selector; *spans* are the facts themselves.",
        "",
        "| run | " + " | ".join(names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    first = next(iter(RUNS))
    for label, model in [
        ("original", "original"),
        ("retrained", "retrained"),
        *((r, "unlearned") for r in RUNS),
    ]:
        found = [reports[label if model == "unlearned" else first, s] for s in seeds]
        cells = [number(mean([r.value(model, *q) for r in found])) for q in QUESTIONS.values()]
        cells += [number(r.compared(model, "forget_quality").value) for r in found]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def mean(values):
    return sum(values) / len(values)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
