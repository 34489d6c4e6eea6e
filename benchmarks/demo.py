"""Every method on the demo's world, each with the same search budget.

    python benchmarks/demo.py --out benchmarks/results
    python benchmarks/demo.py --out benchmarks/results --rates 5     # ten settings in place of six

Six settings of each method are tried on world 0: three rates, each with a stop and without.
The best by `total` (score.py) is run on worlds 1 to 3, which no setting has seen. What is done is
kept in the work folder: the same command goes on where it was cut off.
"""

import argparse
import csv
import os
import pickle
import tempfile
from pathlib import Path

from runs import publish, read, run_all, unlearned, write
from score import scores

SEARCHED, UNSEEN = 0, (1, 2, 3)
FACTORS = {3: (1 / 3, 1.0, 3.0), 5: (1 / 3, 3**-0.5, 1.0, 3**0.5, 3.0)}
PAGES = {3: "demo.md", 5: "demo-ten-settings.md"}
BASE = {"full": 3e-4, "lora": 2e-3}
EPOCHS, BATCH = 10, 16
KEPT = ("utility", "retain probability", "world probability")
VALUES = {
    "forget probability": ("forget", "probability"),
    "forget ROUGE-L": ("forget", "rouge_l_recall"),
    "fact given": ("forget", "fact_recall"),
    "extraction strength": ("forget", "extraction_strength"),
    "membership AUC": ("forget", "membership_auc_loss"),
    "retain probability": ("retain", "probability"),
    "world probability": ("world", "probability"),
    "utility": ("retain", "model_utility"),
    "holdout probability": ("holdout", "probability"),
}
# Other ways to choose tokens. `the fact` is told which characters matter, as no other run is.
SELECTED = {
    "dto, subject": ("dto", {"selector": "subject"}),
    "dto, the fact": ("dto", {"selector": "spans"}),
    "dto, ceiling 4, subject": ("dto", {"selector": "subject", "ceiling": 4.0}),
    "undial, subject": ("undial", {"focus": "subject"}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "unteach-bench"))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--methods", nargs="+", help="some alone; then no page is written")
    parser.add_argument("--rates", type=int, choices=FACTORS, default=3, help="that are tried")
    args = parser.parse_args()
    names, factors = args.methods or list(entries()), FACTORS[args.rates]
    make_worlds(args.work, args.workers)
    run_all(
        {f"{name}, rate x {factor:.2g}": (search, (args.work, name, factor))
         for name in names for factor in factors},
        args.workers,
    )  # fmt: skip
    best = {name: choose(args.work, name, factors) for name in names}
    run_all(
        {f"{name}, world {world}": (once, (args.work, world, name, *best[name]))
         for name in names for world in UNSEEN},
        args.workers,
    )  # fmt: skip
    if not args.methods:
        from demo_table import page, rows_of_runs

        publish(args.out / PAGES[args.rates], page(args.work, best, factors))
        with (args.out / "demo-runs.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows_of_runs(args.work))


def entries():
    """Name in the table -> method and options: every method, and other ways to choose tokens."""
    from unteach.demo.settings import OPTIONS
    from unteach.methods import METHODS, options_of

    found = {name: (name, OPTIONS.get(name, {})) for name in METHODS}
    for label, (name, options) in SELECTED.items():
        if options.keys() <= {o["name"] for o in options_of(METHODS.get(name))}:
            found[label] = (name, {**OPTIONS.get(name, {}), **options})
    return found


def make_worlds(work, workers):
    """Worlds, models and what they score."""
    from unteach.demo import jobs

    worlds = {world: work / f"world-{world}" for world in (SEARCHED, *UNSEEN)}
    stages = [{}, {}, {}]
    for world, folder in worlds.items():
        if not (folder / "tokenizer").exists():
            stages[0][f"world {world}"] = (jobs.prepare, (folder, world, "default"))
        for k, name in enumerate(("original", "retrained")):
            if not (folder / name / "tokenizer_config.json").exists():
                job = (jobs.train, (folder, name, world + k, "default"))
                stages[1][f"world {world}, training {name}"] = job
        if not (folder / "original.json").exists():
            stages[2][f"world {world}, scoring"] = (yardsticks, (folder,))
    for stage in stages:
        run_all(stage, workers)


def yardsticks(folder, tell):
    """What the original and the retrained model score; the latter's rows are kept."""
    from unteach.demo import jobs

    rows = {name: jobs.score(folder, name, tell) for name in ("retrained", "original")}
    (folder / "retrained.pickle").write_bytes(pickle.dumps(rows["retrained"]))
    for name, found in rows.items():
        write(folder / f"{name}.json", values_of(found, rows["retrained"]))
    marked(folder)


def marked(folder):
    """The forget file with the facts as spans."""
    import json

    lines = []
    for line in (folder / "data" / "forget.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        start = row["answer"].rindex(row["fact"])
        row["spans"] = [[start, start + len(row["fact"])]]
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / "data" / "marked.jsonl").write_text("".join(lines), encoding="utf-8")


def values_of(rows, retrained):
    from unteach.metrics import METRICS, compare

    found = {
        name: METRICS.get(metric)(group, rows).value for name, (group, metric) in VALUES.items()
    }
    return {**found, "forget quality": compare(rows, retrained)["forget_quality"].value}


def search(work, name, factor, tell):
    """One rate on world 0, with the stop and without."""
    stopped = once(work, SEARCHED, name, factor, True, tell)
    if not stopped["stopped_because"]:  # then the run without a stop is the same, step by step
        write(file_of(work, SEARCHED, name, factor, False), {**stopped, "stop_at": 0.0})
    once(work, SEARCHED, name, factor, False, tell)


def once(work, world, name, factor, stop, tell):
    """One run, and what it scores."""
    from unteach.demo import jobs
    from unteach.evaluation import of_run
    from unteach.methods import METHODS
    from unteach.settings.request import Request

    folder, file = work / f"world-{world}", file_of(work, world, name, factor, stop)
    method, options = entries()[name]
    plan = METHODS.get(method).plan
    asked = jobs.request(folder, method, f"runs/{file.stem}", world).model_dump()
    asked["method"] = {"name": method, **options}
    asked["train"] = {
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "learning_rate": BASE[plan.adapter] * factor,
        "stop_at": read(folder / "original.json")["holdout probability"] if stop else 0,
        "seed": world,
    }
    if options.get("selector") == "spans":
        asked["forget"] = str(folder / "data" / "marked.jsonl")

    def evaluate(out, intake):
        rows = of_run.evaluate(str(out), intake, jobs.JobProgress(tell)).rows
        return values_of(rows, pickle.loads((folder / "retrained.pickle").read_bytes()))

    return unlearned(Request.model_validate(asked), file, evaluate)


def file_of(work, world, name, factor, stop):
    label = name.replace(", ", "-").replace(" ", "-")
    file = f"{label}_{factor:.2g}_{'stop' if stop else 'on'}.json"
    return work / f"world-{world}" / "runs" / file


def scored(work, world, name, factor, stop):
    """A run with its scores; 0 where the loss broke."""
    run = read(file_of(work, world, name, factor, stop))
    if run["values"] is None:
        return {**run, **dict.fromkeys(("total", "M", "P", "U"), 0.0)}
    folder = work / f"world-{world}"
    yardsticks = [read(folder / f"{name}.json") for name in ("original", "retrained")]
    return {**run, **scores(run["values"], *yardsticks, KEPT)}


def choose(work, name, factors):
    """The rate's factor, and whether to stop, of the best run on world 0."""
    settings = [(factor, stop) for factor in factors for stop in (True, False)]
    return max(settings, key=lambda s: scored(work, SEARCHED, name, *s)["total"])


if __name__ == "__main__":
    main()
