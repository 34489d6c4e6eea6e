"""A whole `unteach run` beside the same work done the usual way, and a second run after it.

    python benchmarks/whole_run.py --model stories3M=FOLDER --tofu FOLDER

The model is first taught the first rows of TOFU's forget10 and retain90 (not measured), so that its
answers end. Then each way is a process of its own on one thread, all in turn: processor seconds,
user and system, from start to end, medians of the rounds. *usual* is `usual_run.py` with a forward
for each metric, *usual, one forward* (`--once`) the same with one for all; *run* is `unteach run`
with an empty cache, *second run* another that finds the rows of the original there. UnDIAL, NLL on
as many retain rows, two epochs, batches of 8 and 8, and then every metric that both give, which
must agree: the usual way also measures the model that `unteach run` wrote. Rows of ours are rounded
to 5%, a share of texts to a twentieth, so means are held to 3% or 0.01.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measure import RESULTS

HEADER = ("model", "rows", "way", "rounds", "cpu_seconds", "ratio", "goal", "verdict")
HERE = Path(__file__).parent
GOALS = {"run": ("usual", 1 / 3), "second run": ("run", 0.6)}
ONCE = "usual, one forward"
WAYS = ("usual", ONCE, "run", "second run")
NEAR = {"rel": 0.03, "abs": 0.01}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="NAME=FOLDER")
    parser.add_argument("--tofu", type=Path, required=True, help="a folder with TOFU's files")
    parser.add_argument("--forget", type=int, default=60)
    parser.add_argument("--retain", type=int, default=120)
    parser.add_argument("--taught", type=int, default=8, help="epochs; 0 for a model that knows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", action="store_true", help="also the usual way with one forward")
    parser.add_argument("--out", type=Path, default=RESULTS / "whole-run.csv")
    args = parser.parse_args()
    name, _, folder = args.model.partition("=")
    with tempfile.TemporaryDirectory() as work:
        given = files(args, Path(work))
        model = taught(folder, given, Path(work, "taught"), args.taught) if args.taught else folder
        rows = f"{args.forget} + {args.retain}"
        ways = [way for way in WAYS if args.once or way != ONCE]
        for seconds in measured(model, given, Path(work), args.rounds, ways):
            write([[name, rows, *line] for line in lines(seconds)], args.out)


def write(rows, path):
    """After every round, so that a benchmark that is cut off has left something."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)
    print(*("  ".join(map(str, row)) for row in rows), sep="\n", flush=True)


def lines(seconds):
    """A line for each way: the median of its seconds, and of the rounds' ratios."""
    for way, spent in seconds.items():
        yield [way, len(spent), f"{median(spent):.1f}", *verdict(way, seconds)]


def verdict(way, seconds):
    """The median of the rounds' ratios, the goal, and whether it is met."""
    other, goal = GOALS.get(way, ("usual", None))
    ratio = median(a / b for a, b in zip(seconds[way], seconds[other], strict=True))
    told = "" if goal is None else "pass" if ratio <= goal else "miss"
    return [f"{ratio:.2f} of {other}", "" if goal is None else f"{goal:.2f}", told]


def files(args, work):
    """The first rows of both files, as flags."""
    found = []
    for role, source, count in (
        ("forget", "forget10", args.forget),
        ("retain", "retain90", args.retain),
    ):
        lines = (args.tofu / f"{source}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        file = work / f"{role}.jsonl"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        found += [f"--{role}", str(file)]
    return found


def taught(folder, given, out, epochs):
    """The model after some epochs on all rows, batches of 8."""
    import random

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from usual_run import batch_of, encoded

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).train()
    rows = [row for file in given[1::2] for row in encoded(Path(file), tokenizer)]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    drawn = random.Random(0)
    for _ in range(epochs):
        order = sorted(drawn.sample(rows, len(rows)), key=lambda row: len(row[0]))
        batches = [order[k : k + 8] for k in range(0, len(order), 8)]
        for batch in drawn.sample(batches, len(batches)):
            inputs, labels = batch_of(batch)
            model(**inputs, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return str(out)


def measured(model, given, work, rounds, ways):
    """Processor seconds of every way so far, after each round; the metrics of both must agree."""
    seconds, unlearned, ours = {way: [] for way in ways}, "", {}
    for turn in range(rounds):
        cache = {"UNTEACH_CACHE": str(work / f"cache-{turn}")}
        for way in ways:
            out = work / f"{way.replace(', ', ' ')}-{turn}".replace(" ", "-")
            command = commands(model, given, out)[way]
            spent, said = run(command, cache)
            seconds[way].append(spent)
            print(f"{way}: {spent:.1f} s", file=sys.stderr, flush=True)
            if way == "run":
                unlearned, ours = str(out), said
        yield seconds
        if not turn:
            again = [*usual(model, given, out), "--once", "--unlearned", unlearned]
            check(ours, run(again, {})[1])


def usual(model, given, out):
    program = [sys.executable, str(HERE / "usual_run.py")]
    return [*program, "--model", model, *given, "--out", str(out)]


def commands(model, given, out):
    ours = [
        sys.executable, "-m", "unteach", "run", "--model", model, *given, "--method", "undial",
        "--set", "train.epochs=2", "--set", "train.retain=nll", "--train-anyway", "--json",
        "--out", str(out),
    ]  # fmt: skip
    other = usual(model, given, out)
    return dict(zip(WAYS, (other, [*other, "--once"], ours, ours), strict=True))


def run(command, environment):
    """Processor seconds of a command and its JSON."""
    one = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, env={**os.environ, **one, **environment}, check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, json.loads(done.stdout)


def check(ours, other):
    """Every metric of the usual way is near ours, for both models and both groups."""
    for model, groups in other["metrics"].items():
        for group, values in groups.items():
            for name, value in values.items():
                own = ours["models"][model][group][name]["value"]
                if abs(own - value) > max(NEAR["rel"] * abs(value), NEAR["abs"]):
                    raise SystemExit(f"{name} of {model} on {group}: {own} and {value}")


if __name__ == "__main__":
    main()
