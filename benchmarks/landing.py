"""How near the shipped defaults land, on worlds that nobody tuned on.

    python benchmarks/landing.py --work FOLDER                     # worlds 0, 5 to 9
    python benchmarks/landing.py --work FOLDER --worlds 5 --methods unseen unilogit --given both
    python benchmarks/landing.py --work FOLDER --rates 0.3 1 3 --seeds 0 1 2

World 0 is the one on which defaults were tuned; the others were run for the first time here. Their
originals are trained until they give 97% of the facts. Each run is `unteach run` with nothing set
but the files, a batch of 16, and the rate where one is asked for. Half of the holdout sets levels
in training, and the other half judges. What is done is kept in the work folder: the same command
goes on where it was cut off. The table goes to benchmarks/results/landing.csv and landing.md.
"""

import argparse
import csv
import dataclasses
import os
import pickle
from pathlib import Path

from runs import markdown, number, publish, read, run_all, unlearned, write

RESULTS = Path(__file__).resolve().parent / "results"
TUNED, UNSEEN = (0,), (5, 6, 7, 8, 9)
METHODS = ("unseen", "dto", "unilogit", "loku", "undial", "npo", "simnpo", "graddiff", "ascent")
GIVEN = {
    "both": ("retain", "holdout"),
    "retain": ("retain",),
    "forget": (),
}
KNOWN = 0.97  # of the facts, that an original gives
LONGER = (18, 36, 72)  # epochs of its training
EVALUATE = {"max_examples": 200, "max_new_tokens": 24, "tokens_per_batch": 8192}
PARTS = ("closeness", "closeness_forget", "closeness_privacy", "closeness_kept")
COLUMNS = (
    *("world", "seed", "method", "given", "rate", "closeness", "low", "high", "forget", "privacy"),
    *(
        "kept",
        "forget_p",
        "auc",
        "retain_p",
        "given_still",
        "drawn_back_to",
        "steps",
        "cpu_seconds",
    ),
)


def make_world(folder, world, tell=None):
    """The world's models: the original to the end, the retrained one as long, and a second one."""
    from unteach.demo import jobs
    from unteach.demo.settings import PRESETS

    def quiet(*_):
        return None

    if (folder / "rows.json").exists():
        return
    if not (folder / "tokenizer").exists():
        jobs.prepare(folder, world, "default", quiet)
    usual = PRESETS["default"]
    for epochs in LONGER:
        PRESETS["default"] = dataclasses.replace(usual, epochs=epochs)
        jobs.train(folder, "original", world, "default", quiet)
        rows = jobs.score(folder, "original", quiet)["forget"]
        known = [row.fact_given for row in rows if row.fact_given is not None]
        if sum(known) >= KNOWN * len(known):
            break
    for k in (1, 2):
        jobs.train(folder, f"retrained-{k}", world + k, "default", quiet)
    PRESETS["default"] = usual
    (folder / "beside.pickle").write_bytes(pickle.dumps(rows_beside(folder)))
    write(folder / "rows.json", {"epochs": epochs, "facts": sum(known) / len(known)})


def rows_beside(folder):
    """The rows of the models that need no unlearning, asked about what judges a run."""
    from unteach.checks.request import check
    from unteach.evaluation import of_run
    from unteach.progress import NoProgress

    intake = check(request(folder, "unilogit", GIVEN["both"], folder / "none", 0, None))
    names = ("original", "retrained-1", "retrained-2")
    return {name: of_run.evaluate(str(folder / name), intake, NoProgress()).rows for name in names}


def request(folder, method, given, out, seed, rate):
    from unteach.settings.request import Request

    train = {"batch_size": 16, "seed": seed} | ({"learning_rate": rate} if rate else {})
    files = {role: str(folder / "data" / f"{role}.jsonl") for role in ("forget", *given)}
    return Request.model_validate(
        {
            "model": str(folder / "original"),
            "out": out,
            "device": "cpu",
            "method": {"name": method},
            "train": train,
            "evaluate": EVALUATE | {"also": {"world": str(folder / "data" / "world.jsonl")}},
            **files,
        }
    )


def once(work, world, seed, method, given, factor, tell=None):
    """One run, judged with all files whatever it was given."""
    from unteach.checks.request import check
    from unteach.evaluation import of_run
    from unteach.metrics import compare, score_model
    from unteach.metrics.given import still_given
    from unteach.progress import NoProgress

    folder = work / f"world-{world}"
    make_world(folder, world)
    name = f"{method}-{given}-{factor:g}-{seed}"
    out = folder / "runs" / name
    asked = request(folder, method, GIVEN[given], out, seed, None)
    if factor != 1:
        usual = check(asked).request.train.learning_rate
        asked = request(folder, method, GIVEN[given], out, seed, usual * factor)

    def evaluate(path, _):
        judging = check(request(folder, "unilogit", GIVEN["both"], folder / "none", 0, None))
        rows = of_run.evaluate(str(path), judging, NoProgress()).rows
        beside = pickle.loads((folder / "beside.pickle").read_bytes())
        original, never = beside["original"], beside["retrained-1"]
        found = compare(rows, never, original=original)
        scores = score_model(rows, original=original)
        still = still_given(rows, original=original, retrained=never)
        near = found["closeness"]
        again = compare(beside["retrained-2"], never, original=original)["closeness"].value
        return {
            **{part: found[part].value for part in PARTS},
            "low": near.low,
            "high": near.high,
            "forget_p": scores["forget"]["probability"].value,
            "auc": scores["forget"]["membership_auc_loss"].value,
            "retain_p": scores["retain"]["probability"].value,
            "given_still": still.count if still else None,
            "second_retrained": again,
        }

    return unlearned(asked, folder / "results" / f"{name}.json", evaluate)


def line(job, found):
    """A row of the CSV."""
    _, world, seed, method, given, factor = job
    values = found["values"] or {}
    parts = [values.get(part) for part in PARTS]
    own = [values.get(name) for name in ("forget_p", "auc", "retain_p", "given_still")]
    more = [found.get(name) for name in ("drawn_back_to", "steps", "seconds")]
    return [world, seed, method, given, factor, parts[0], values.get("low"), values.get("high"),
            *parts[1:], *own, *more]  # fmt: skip


def page(lines, seconds):
    """Closeness by method and world, a mean over seeds where there are several."""
    worlds = sorted({line[0] for line in lines})
    names = sorted({(line[2], line[3], line[4]) for line in lines}, key=str)
    table = []
    for name in names:
        cells = []
        for world in worlds:
            found = [x[5] or 0.0 for x in lines if x[0] == world and (x[2], x[3], x[4]) == name]
            cells.append(number(sum(found) / len(found)) if found else "-")
        table.append([f"{name[0]}, {name[1]}", f"x {name[2]:g}", *cells])
    again = ["a second retrained model", "", *(number(seconds.get(world)) for world in worlds)]
    header = ["method, files given", "rate"]
    header += [f"world {world}{' (tuned on)' if world in TUNED else ''}" for world in worlds]
    intro = (
        "# Where the shipped defaults land\n\n"
        "Closeness to a retrained model, of `unteach run` with nothing set but the files "
        "(`benchmarks/landing.py`; intervals and parts are in `landing.csv`). `both` is a retain "
        "and a holdout file beside the forget file; half of the holdout judges.\n\n"
    )
    return intro + markdown(header, [*table, again]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="for worlds, models and results")
    parser.add_argument("--worlds", type=int, nargs="+", default=[*TUNED, *UNSEEN])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--given", nargs="+", choices=GIVEN, default=["both", "forget"])
    parser.add_argument("--rates", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    folders = {f"world {w}": (make_world, (args.work / f"world-{w}", w)) for w in args.worlds}
    run_all(folders, args.workers)
    jobs = [
        (args.work, world, seed, method, given, rate)
        for method in args.methods
        for world in args.worlds
        for given in args.given
        for rate in args.rates
        for seed in args.seeds
    ]
    run_all({str(job[1:]): (once, job) for job in jobs}, args.workers)
    lines, seconds = everything(args.work)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "landing.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([shorter(x) for x in line] for line in lines)
    publish(RESULTS / "landing.md", page(lines, seconds))


def everything(work):
    """Lines of all runs in the work folder, also of earlier commands; the second models' scores."""
    lines, seconds = [], {}
    for file in sorted(work.glob("world-*/results/*.json")):
        world = int(file.parents[1].name.split("-")[1])
        method, given, factor, seed = file.stem.rsplit("-", 3)
        found = read(file)
        lines.append(line((work, world, int(seed), method, given, float(factor)), found))
        if found["values"]:
            seconds[world] = found["values"]["second_retrained"]
    return lines, seconds


def shorter(x):
    return f"{x:.4g}" if isinstance(x, float) else "" if x is None else x


if __name__ == "__main__":
    main()
