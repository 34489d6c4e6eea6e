"""How long commands take before they do anything: processor seconds of whole processes.

    python benchmarks/startup.py

Every command is a process of its own on one thread, all in turn, with Python's bytecode in place as
after an installation. Medians of user and system time, which other work on the machine does not
add to directly but lengthens: read them beside the rows that none of our code is in. `check` has 36
examples, a tokenizer of 512 tokens and a Llama of 2 layers; what the libraries alone take is
its floor, since it builds the model's class.
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

UNTEACH = [sys.executable, "-m", "unteach"]
LIBRARIES = "import torch; from transformers import AutoTokenizer, PreTrainedModel"
HEADER = ("command", "cpu_seconds", "least", "goal", "verdict")
GOALS = {"unteach --help": 0.25, "unteach methods": 0.4, "unteach check": 3.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS / "startup.csv")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(commands(Path(folder)), args.rounds)
    for row in rows:
        print(f"{row['command']:30}" + "".join(f"{row[name]!s:>10}" for name in HEADER[1:]))
    with args.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def commands(folder: Path) -> dict[str, list[str]]:
    """What is measured, by name; each is run as it stands."""
    write_request(folder)
    files = {role: str(folder / f"{role}.jsonl") for role in ("forget", "retain", "holdout")}
    flags = [part for role, file in files.items() for part in (f"--{role}", file)]
    model = ["--model", str(folder / "model"), "--method", "undial"]
    return {
        "python": [sys.executable, "-c", "pass"],
        "unteach --help": [*UNTEACH, "--help"],
        "unteach methods": [*UNTEACH, "methods"],
        "torch and transformers alone": [sys.executable, "-c", LIBRARIES],
        "unteach check": [*UNTEACH, "check", *model, *flags, "--out", str(folder / "out")],
    }


def write_request(folder: Path) -> None:
    """A model of random weights with its tokenizer, and three files of questions."""
    from llamas import Shape, llama

    from unteach.demo.train import train_tokenizer

    rows = {
        role: [
            {"question": f"Where was {role} {k} born?", "answer": f"In town {k} of {role}."}
            for k in range(12)
        ]
        for role in ("forget", "retain", "holdout")
    }
    for role, asked in rows.items():
        text = "".join(json.dumps(row) + "\n" for row in asked)
        (folder / f"{role}.jsonl").write_text(text, encoding="utf-8")
    texts = [text for asked in rows.values() for row in asked for text in row.values()]
    train_tokenizer(texts, vocabulary=512).save_pretrained(folder / "model")
    shape = Shape(64, 2, 4, 2, 176, tied=True, vocabulary=512)
    llama(shape).save_pretrained(folder / "model")


def measured(made: dict[str, list[str]], rounds: int) -> list[dict]:
    """Rows of the results; the first round, which may write bytecode, does not count."""
    found: dict[str, list[float]] = {name: [] for name in made}
    for turn in range(rounds + 1):
        for name, command in made.items():
            spent = seconds(command)
            if turn:
                found[name].append(spent)
    return [row(name, times) for name, times in found.items()]


def seconds(command: list[str]) -> float:
    """User and system time of one process and of those it waited for."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    one = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=own | one, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(name: str, times: list[float]) -> dict:
    goal = GOALS.get(name)
    verdict = "" if goal is None else "pass" if median(times) <= goal else "miss"
    cells = (name, f"{median(times):.3f}", f"{min(times):.3f}", goal or "", verdict)
    return dict(zip(HEADER, cells, strict=True))


if __name__ == "__main__":
    main()
