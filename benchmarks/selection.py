"""What DTO's choice of tokens costs, with and without reading the same beginnings again.

    python benchmarks/selection.py --model MODEL --forget FILE

Processor seconds of one thread, both ways in turn, medians; beside them one epoch of plain training
on the same texts, forward and backward in batches of 8, without an optimiser. *differ* counts the
answers of which other tokens are chosen.
"""

import argparse
import csv
import os
import sys
from pathlib import Path
from statistics import median

from evaluation import ALLOCATOR, in_turn
from measure import RESULTS

HEADER = ("texts", "answer tokens", "way", "cpu_seconds", "times whole", "epochs", "differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--forget", required=True)
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "selection.csv")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    rows = measured(*inputs(args), args.rounds)
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print("  ".join(str(row[name]).rjust(len(name)) for name in HEADER))


def inputs(args):
    """Model, tokenizer and texts."""
    from unteach.data import encode_all, read
    from unteach.models.loading import load_model, load_tokenizer

    tokenizer, model = load_tokenizer(args.model), load_model(args.model, device="cpu")
    examples = read(args.forget, "forget")[0][: args.examples]
    return model, tokenizer, encode_all(examples, tokenizer, max_length=512)[0]


def measured(model, tokenizer, texts, rounds):
    """A row for each way."""
    from unteach.inference import variants
    from unteach.methods import build
    from unteach.training import selection

    method = build("dto", {})

    def choice(small):
        def run():
            selection.VariantReader = lambda model: variants.VariantReader(model, small=small)
            return list(selection.select_tokens(method, model, tokenizer, texts, seed=0))

        return run

    ways = {"whole texts": choice(2**60), "from the replaced token on": choice(variants.SMALL)}
    seconds, found = in_turn({**ways, "one epoch": lambda: epoch(model, texts)}, rounds)
    whole, one = seconds["whole texts"], seconds.pop("one epoch")
    rows = []
    for way, times in seconds.items():
        differ = sum(a != b for a, b in zip(found[way], found["whole texts"], strict=True))
        ratio, epochs = (
            median(a / b for a, b in zip(times, others, strict=True)) for others in (whole, one)
        )
        cells = (way, f"{median(times):.2f}", f"{ratio:.2f}", f"{epochs:.1f}", differ)
        counts = (len(texts), sum(sum(text.answer) for text in texts))
        rows.append(dict(zip(HEADER, (*counts, *cells), strict=True)))
    return rows


def epoch(model, texts, batch=8):
    """Forward and backward over all texts once."""
    import torch

    from unteach.inference import right_padded

    for k in range(0, len(texts), batch):
        part = texts[k : k + batch]
        ids = right_padded([text.ids for text in part], model.device)
        attention = right_padded([(1,) * len(text.ids) for text in part], model.device)
        answer = right_padded([text.answer for text in part], model.device).bool()
        labels = torch.where(answer, ids, -100)
        model(input_ids=ids, attention_mask=attention, labels=labels).loss.backward()
        model.zero_grad()


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    main()
