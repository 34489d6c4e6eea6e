"""Methods with their defaults on a real chat model that `examples/smollm2.py` made.

    python examples/smollm2.py CASE --tofu TOFU_FOLDER --second
    python benchmarks/smollm2.py --case CASE --work FOLDER
    python benchmarks/smollm2.py --case CASE --work FOLDER --methods unseen undial --rates 0.3 3

Each run is the command `unteach run` with nothing set but the files, and what the line names: a
factor of the rate, a seed, or adapters. Then the suite `ordinary` asks the model, and the original,
what nobody trained. What is done is kept in the work folder: the same command goes on where it was
cut off. The table goes to benchmarks/results/smollm2.csv and smollm2.md.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runs import publish, read, write
from smollm2_page import BASELINES, COLUMNS, line, page

RESULTS = Path(__file__).resolve().parent / "results"
METHODS = ("unseen", "undial", "unilogit", "loku", "dto", "npo", "simnpo", "graddiff", "ascent")


@dataclass(frozen=True)
class Cell:
    """One line of the table."""

    method: str
    adapter: str
    rate: float  # a factor of the automatic one
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}-{self.adapter}-{self.rate:g}-{self.seed}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", type=Path, required=True, help="made by examples/smollm2.py")
    parser.add_argument("--work", type=Path, required=True, help="for models and results")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--adapters", nargs="+", choices=("own", "lora"), default=["own"])
    parser.add_argument("--rates", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()

    baselines(args.case, args.work)
    second(args.case, args.work)
    for method in args.methods:
        for adapter in args.adapters:
            for rate in args.rates:
                for seed in args.seeds:
                    once(args.case, args.work, Cell(method, adapter, rate, seed))
    report(args.case, args.work)


def report(case: Path, work: Path):
    """The table of all that is done, also by earlier commands."""
    found = [read(file) for file in sorted(work.glob("*.json"))]
    ran = next((run["scores"] for run in found if "cpu_seconds" in run and "scores" in run), None)
    if ran is None:
        sys.exit("no run has scores yet")
    lines = [line({"scores": ran} | x if x["cell"][0] in BASELINES else x) for x in found]
    with (RESULTS / "smollm2.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines)
    publish(RESULTS / "smollm2.md", page(lines, read(case / "case.json")))


def files(case: Path) -> list[str]:
    return [
        part
        for role in ("forget", "retain", "holdout")
        for part in (f"--{role}", str(case / f"{role}.jsonl"))
    ]


def baselines(case: Path, work: Path):
    """What original and retrained model say to the suite `ordinary`."""
    for name in BASELINES:
        if not (work / f"{name}.json").exists():
            found = ordinary(case, case / name, work / f"{name}-ordinary")
            write(work / f"{name}.json", {"cell": [name, "", 1, 0], "ordinary": found})


def second(case: Path, work: Path):
    """How near a second retrained model is to the first: nothing can be expected to come nearer."""
    file, out = work / "retrained-2.json", work / "retrained-2"
    if file.exists() or not (case / "retrained-2" / "config.json").exists():
        return
    lines = (case / "holdout.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    judging = work / "judging.jsonl"
    judging.write_text("".join(lines[len(lines) // 2 :]), encoding="utf-8")  # as in a run
    unteach(["evaluate", "--model", f"unlearned={case / 'retrained-2'}",
             "--retrained", str(case / "retrained"), "--reference-model", str(case / "original"),
             *files(case)[:-1], str(judging), "--out", str(out), "--device", "cpu"],
            work / "retrained-2.log")  # fmt: skip
    found = ordinary(case, case / "retrained-2", work / "retrained-2-ordinary")
    cell = ["a second retrained model", "", 1, 0]
    write(file, {"cell": cell, "scores": read(out / "scores.json"), "ordinary": found})


def once(case: Path, work: Path, cell: Cell):
    """One run and what it scores; read where it was made before."""
    file, out = work / f"{cell.name}.json", work / cell.name
    if file.exists():
        return
    command = ["run", "--model", str(case / "original"), "--retrained", str(case / "retrained"),
               *files(case), "--out", str(out), "--method", cell.method,
               "--set", f"train.seed={cell.seed}", "--set", "device=cpu"]  # fmt: skip
    if cell.adapter == "lora":
        command += ["--set", "adapter.kind=lora"]
    if cell.rate != 1:
        command += ["--set", f"train.learning_rate={cell.rate * usual_rate(command):.6g}"]
    ran = unteach(command, work / f"{cell.name}.log") if not out.exists() else {}
    found = {"cell": [cell.method, cell.adapter, cell.rate, cell.seed], **ran}
    if found.get("exit_code", 0) < 0:
        sys.exit(f"{cell.name} was killed by signal {-found['exit_code']}: run this command again")
    if (out / "scores.json").exists():
        found["scores"] = read(out / "scores.json")
        found["ordinary"] = ordinary(case, out, work / f"{cell.name}-ordinary")
    write(file, found)


def ordinary(case: Path, model: Path, out: Path) -> dict:
    """The scores of the model on ordinary questions and texts, beside the original's."""
    if not out.exists():
        unteach(["evaluate", "--suite", "ordinary", "--model", f"model={model}",
                 "--reference-model", str(case / "original"), "--out", str(out),
                 "--device", "cpu"], out.with_suffix(".log"))  # fmt: skip
    return read(out / "scores.json")["models"]["model"]


def usual_rate(command: list[str]) -> float:
    """The automatic learning rate of this request."""
    found = subprocess.run(
        [sys.executable, "-m", "unteach", "check", *command[1:], "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(found.stdout)["request"]["train"]["learning_rate"]


def unteach(command: list[str], log: Path) -> dict:
    """Run a command of unteach: its exit code, processor time in seconds and peak memory in MiB."""
    log.parent.mkdir(parents=True, exist_ok=True)
    print("unteach", *command, flush=True)
    with log.open("ab") as told:
        running = subprocess.Popen(
            [sys.executable, "-m", "unteach", *command], stdout=told, stderr=told,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        _, status, used = os.wait4(running.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return {
        "exit_code": code,
        "cpu_seconds": round(used.ru_utime + used.ru_stime),
        "peak_mib": round(used.ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
