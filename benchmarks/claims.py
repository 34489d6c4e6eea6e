"""The papers' claims one by one, each measured by the command that its line on the page gives.

    python benchmarks/claims.py --work FOLDER                          # all that is not done yet
    python benchmarks/claims.py --work FOLDER --claims undial_rates    # one claim
    python benchmarks/claims.py                                 # the page, from the CSV

A claim is a file of `benchmarks/claims/`. Its runs are kept in the work folder, their numbers in
benchmarks/results/claims.csv, from which docs/claims.md is written: what is there is not measured
again. Two claims with a run in common share it.
"""

import argparse
import csv
from pathlib import Path

from claim import Claim, Run, claims
from claims_page import missing, page, read_csv
from runs import run_all

ROOT = Path(__file__).resolve().parents[1]
CSV, PAGE = ROOT / "benchmarks/results/claims.csv", ROOT / "docs/claims.md"
FIELDS = (
    *("run", "world", "forget probability", "fact given", "extraction strength", "forget ROUGE-L"),
    *("membership AUC", "retain probability", "world probability", "holdout probability"),
    *("utility", "forget quality", "M", "P", "U", "total", "M and U", "steps"),
    *("seconds", "failed", "forget by epoch", "retain by epoch", "holdout by epoch"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="for worlds, models and results")
    parser.add_argument("--claims", nargs="+", choices=claims(), default=list(claims()))
    parser.add_argument("--worlds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    if args.work:
        wanted = [claims()[name] for name in args.claims]
        measure(args.work, wanted, args.worlds, args.workers)
    PAGE.write_text(page(claims(), read_csv(CSV)), "utf-8")


def measure(work: Path, wanted: list[Claim], worlds: list[int], workers: int) -> None:
    """The runs of the claims that the list lacks, world by world; it grows with each run."""
    from claim_runs import once

    todo = {
        f"{run}, world {w}": (work, run, w)
        for world in worlds
        for claim in wanted
        for run, w in missing(claim, read_csv(CSV), [world])
    }
    if workers > 1:
        run_all({name: (once, job) for name, job in todo.items()}, workers)
    for k, (name, (_, run, world)) in enumerate(todo.items(), 1):
        append(run, world, once(work, run, world))
        print(f"{k} of {len(todo)}: {name}", flush=True)


def append(run: Run, world: int, found: dict) -> None:
    """A further line of the list of runs."""
    values = {
        **(found["values"] or {}),
        **{n: found.get(n) for n in ("steps", "seconds", "failed")},
    }
    line = {"run": str(run), "world": world} | {n: cell(values.get(n)) for n in FIELDS[2:]}
    lines = [*read_csv(CSV), line]
    lines.sort(key=lambda x: (x["run"], int(x["world"])))
    with CSV.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def cell(value) -> str:
    if isinstance(value, list):
        return " ".join(f"{x:.4g}" for x in value)
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


if __name__ == "__main__":
    main()
