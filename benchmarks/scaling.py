"""Do time and memory of a run grow with its rows? `unteach run` with 40, 400, 4,000 of them.

    python benchmarks/scaling.py --model stories260K=MODEL

So many forget rows and as many retain rows, made of common words, one epoch of UnDIAL, answers of
at most 8 tokens. Each run has a process of its own, on one thread. Of every part the processor
seconds, and the largest resident memory while it went on; freed memory is given back (malloc told
so). The libraries are imported and a run of 8 rows is made before, so that what comes with them is
in every figure. *growth* is the memory beside that of the fewest rows.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import RESULTS, _forget_the_peak, _status

HEADER = ("model", "rows", "part", "cpu_seconds", "ms a row", "peak MiB", "growth")
PARTS = {
    "checking the request": "reading and encoding",
    "evaluating: original": "evaluating the original",
    "loading the model": "training",
    "writing the model": "writing the model",
    "evaluating: unlearned": "evaluating the unlearned",
    "writing the report": "report",
}
GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": str(1 << 16), "MALLOC_TRIM_THRESHOLD_": str(1 << 17)}
WORDS = (
    "the a small red old tree house dog cat river stone girl boy king bird found made saw lost ran "
    "to from under over happy sad day night bread milk apple garden door window friend song"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="NAME=FOLDER")
    parser.add_argument("--rows", type=int, nargs="+", default=[40, 400, 4000])
    parser.add_argument("--out", type=Path, default=RESULTS / "scaling.csv")
    parser.add_argument("--one", type=int, help="measure this many rows, in this process")
    args = parser.parse_args()
    name, _, folder = args.model.partition("=")
    if args.one:
        print(json.dumps(of_run(folder, args.one)))
        return
    found = {rows: measured(args.model, rows) for rows in args.rows}
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for rows, parts in found.items():
            for part, (seconds, peak) in parts.items():
                growth = peak / found[args.rows[0]][part][1]
                cells = [f"{seconds:.2f}", f"{1000 * seconds / rows:.2f}", f"{peak:.0f}"]
                line = [name, rows, part, *cells, f"{growth:.2f}"]
                writer.writerow(line)
                print("  ".join(map(str, line)))


def measured(model, rows):
    """Processor seconds and peak of each part, from a process of its own."""
    command = [sys.executable, __file__, "--model", model, "--one", str(rows)]
    environment = {**os.environ, **GIVEN_BACK, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def of_run(model, rows):
    with tempfile.TemporaryDirectory() as folder:
        unlearned(model, 8, Path(folder, "small"), NoParts())
        parts = Parts()
        unlearned(model, rows, Path(folder, "run"), parts)
        parts.end()
        return parts.found


def unlearned(model, rows, folder, listener):
    import torch

    from unteach.pipeline import run
    from unteach.settings.request import Request

    torch.set_num_threads(1)
    folder.mkdir()
    files = {role: folder / f"{role}.jsonl" for role in ("forget", "retain")}
    for role, file in files.items():
        file.write_text("".join(texts(role, rows)), encoding="utf-8")
    train = {"epochs": 1, "batch_size": 8, "checkpoint_minutes": 0}
    given = {role: str(file) for role, file in files.items()}
    request = Request.model_validate({
        "model": model, **given, "out": folder / "out", "method": {"name": "undial"},
        "train": train, "evaluate": {"max_new_tokens": 8, "cache": False}, "train_anyway": True,
        "device": "cpu",
    })  # fmt: skip
    run(request, listener)


def texts(role, rows):
    """Lines of a file of questions, none twice."""
    drawn, words = random.Random(f"{role} {rows}"), WORDS.split()
    for number in range(rows):
        asked, said = (" ".join(drawn.choices(words, k=6)) for _ in range(2))
        row = {"question": f"{role} {number}: {asked}?", "answer": f"{said.capitalize()}."}
        yield json.dumps(row) + "\n"


class NoParts:
    """A listener that hears nothing."""

    def stage(self, text):
        pass

    def progress(self, what, done, total):
        pass

    def training(self, step, total, logs):
        pass

    def notes(self, notes):
        pass


class Parts(NoParts):
    """Processor seconds and peak of each part; stages within a part belong to it."""

    def __init__(self):
        self.found, self.part, self.began = {}, None, 0.0

    def stage(self, text):
        if text in PARTS:
            self.end()
            self.part, self.began = PARTS[text], time.process_time()
            _forget_the_peak()

    def end(self):
        if self.part is not None:
            spent = time.process_time() - self.began
            self.found[self.part] = (spent, _status("VmHWM") / 1024)


if __name__ == "__main__":
    main()
