"""What FILA's Fisher information costs, by batches and with a pass for each sample.

    python benchmarks/fisher.py --model stories3M=MODEL --forget FILE

Processor seconds of one thread, all ways in turn, medians; adapters on all linear layers. Beside
them one epoch of plain training of all weights on the same texts, forward and backward in batches
of 8, without an optimiser. *difference* is the largest distance of an entry, over the layer's
largest entry.
"""

import argparse
import csv
import os
import sys
from pathlib import Path
from statistics import median

from evaluation import ALLOCATOR, in_turn
from measure import RESULTS
from selection import epoch, inputs

HEADER = ("model", "texts", "way", "cpu_seconds", "times one by one", "epochs", "difference")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="NAME=FOLDER")
    parser.add_argument("--forget", required=True)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "fisher.csv")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    name, _, args.model = args.model.partition("=")
    rows = measured(name, *inputs(args), args.rounds)
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print("  ".join(str(row[name]).rjust(len(name)) for name in HEADER))


def measured(name, model, tokenizer, texts, rounds):
    """A row for each way."""
    import copy

    from unteach.adapters import LoraSettings, add_lora, fisher
    from unteach.adapters.lora import lora_layers

    adapted = add_lora(copy.deepcopy(model), LoraSettings())
    layers, batches = lora_layers(adapted), fisher._by_sample

    def way(by_sample):
        def run():
            fisher._by_sample = by_sample
            return fisher.fisher(adapted, texts, layers)

        return run

    ways = {"one by one": way(lambda *_: False), "by batches": way(batches)}
    seconds, found = in_turn({**ways, "one epoch": lambda: epoch(model, texts)}, rounds)
    fisher._by_sample = batches
    apart, one = seconds["one by one"], seconds["one epoch"]
    rows = []
    for way, times in seconds.items():
        ratio, epochs = (
            f"{median(a / b for a, b in zip(times, others, strict=True)):.2f}"
            for others in (apart, one)
        )
        differ = furthest(found[way], found["one by one"]) if found[way] else ""
        cells = (name, len(texts), way, f"{median(times):.2f}", ratio, epochs, differ)
        rows.append(dict(zip(HEADER, cells, strict=True)))
    return rows


def furthest(found, expected):
    """The largest distance of an entry, over the largest entry of its layer."""
    far = [(found[name] - value).abs().max() / value.max() for name, value in expected.items()]
    return f"{float(max(far)):.1e}"


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    main()
