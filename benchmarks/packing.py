"""When is a batch cheaper without padding? Packed, padded, and padded with like lengths together.

    python benchmarks/packing.py --out benchmarks/results/packing.csv

Forward and backward to the last hidden states (no head) of untrained Llamas over four batches of
texts of 20 to 200 tokens. Process CPU time, one thread; the ways take turns, in an order that
turns too, and a number is the median over the rounds of a way's time over that of the padded way.
"""

import argparse
import csv
import random
import statistics
import sys
import time
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaModel

from unteach.rowengine.packing import pack, unpack

CASES = {  # width, layers, attention, texts of a batch
    "2 x 64": (64, 2, "sdpa", 8),
    "2 x 64, eager": (64, 2, "eager", 8),
    "8 x 512": (512, 8, "sdpa", 8),
    "1 x 1024": (1024, 1, "sdpa", 8),
    "1 x 1024, batches of 16": (1024, 1, "sdpa", 16),
}
COLUMNS = "model", "way", "tokens", "seconds", "of padded"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    files = [sys.stdout, *([args.out.open("w", newline="")] if args.out else [])]
    tables = [csv.DictWriter(file, COLUMNS, lineterminator="\n") for file in files]
    for table in tables:
        table.writeheader()
    for case, (*shape, size) in CASES.items():
        for row in compare(model(*shape), size, args.rounds):
            for file, table in zip(files, tables, strict=True):
                table.writerow({"model": case, **row})
                file.flush()


def model(width, layers, attention):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=width, intermediate_size=width * 11 // 4,
        num_hidden_layers=layers, num_attention_heads=width // 32, max_position_embeddings=256,
        attn_implementation=attention,
    )  # fmt: skip
    return LlamaModel(config).train()


def compare(model, size, rounds):
    """One row for each way."""
    lengths = random.Random(0).choices(range(20, 201), k=4 * size)
    ways = {
        "padded": (padded, batches(lengths, size)),
        "like lengths": (padded, batches(sorted(lengths), size)),
        "packed": (packed, batches(lengths, size)),
    }
    seconds = {way: [] for way in ways}
    for round in range(rounds + 1):
        names = list(ways)
        for way in names[round % 3 :] + names[: round % 3]:
            taken = once(model, *ways[way])
            if round:  # the first one warms up
                seconds[way].append(taken)
    for way, (_, made) in ways.items():
        pairs = zip(seconds[way], seconds["padded"], strict=True)
        cells = sum(mask.sum().item() if way == "packed" else mask.numel() for _, mask in made)
        yield {
            "way": way,
            "tokens": cells,
            "seconds": f"{statistics.median(seconds[way]):.3f}",
            "of padded": f"{statistics.median(a / b for a, b in pairs):.2f}",
        }


def batches(lengths, size):
    """Ids and mask of each, [size, T]."""
    made = []
    for k in range(0, len(lengths), size):
        some = torch.tensor(lengths[k : k + size])
        mask = (torch.arange(int(some.max())) < some[:, None]).long()
        made.append((torch.arange(mask.numel()).view(mask.shape) % 512, mask))
    return made


def once(model, way, made):
    began = time.process_time()
    for ids, mask in made:
        model.zero_grad()
        way(model, ids, mask).square().mean().backward()
    return time.process_time() - began


def padded(model, ids, mask):
    return model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state


def packed(model, ids, mask):
    return unpack(model(**pack(ids, mask), use_cache=False).last_hidden_state, mask)


if __name__ == "__main__":
    main()
