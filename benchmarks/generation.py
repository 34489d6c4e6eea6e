"""What greedy answers cost beside the matrix products that they are made of.

    python benchmarks/generation.py --model stories3M=MODEL --forget FILE --forget FILE

Processor seconds of one thread, all ways in turn, medians. *generate* is transformers' own, batches
of 32 prompts as they come, each until its last row ends. *products* are the matrix products of our
forwards alone, in the very shapes that these had: every linear layer and the head, and queries
with keys and weights with values for every head. Without `--model` a Llama of 4 layers of 128 and
random weights answers random prompts. *differ* counts the prompts that were answered otherwise.

`--shared N` lets all prompts of the random model begin with the same N tokens, as a system prompt
or solved examples do, and has one batch size beside *every prompt whole*.
"""

import argparse
import csv
import os
import random
import statistics
import sys
from contextlib import contextmanager
from pathlib import Path

from evaluation import ALLOCATOR, endings, in_turn, llama, questions, unsorted
from measure import RESULTS

HEADER = (
    "model", "prompts", "new tokens", "way", "forwards", "cpu_seconds", "times products",
    "times generate", "differ",
)  # fmt: skip
SIZES = (8_192, 16_384, 32_768)
AS_RUNS = 16_384


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="NAME=FOLDER; random weights if left out")
    parser.add_argument("--forget", action="append", help="a file of questions; may be repeated")
    parser.add_argument("--examples", type=int, default=120, help="of each file")
    parser.add_argument("--longest", type=int, default=256, help="new tokens at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shared", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "generation.csv")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    name, *given = real(args) if args.model else made(shared=args.shared)
    sizes = (AS_RUNS,) if args.shared else SIZES
    rows = measured(name, *given, args.rounds, sizes, whole=bool(args.shared))
    for row in rows:
        print("  ".join(str(row[column]).rjust(max(len(column), 8)) for column in HEADER))
    write(rows, args.out)


def made(prompts=200, shared=0):
    """A name, a model of random weights, prompts, limits and end tokens."""
    from unteach.inference import greedy

    model = llama(4, 128, 2000, 4)
    asked, limits = questions(prompts)
    beginning = tuple(random.Random(1).choices(range(2, 2000), k=shared))
    asked = [beginning + ids for ids in asked]
    end = endings(greedy(model, asked, limits=limits, end=[1]), limits)
    name = "4 x 128, random" + (f", {shared} tokens shared" if shared else "")
    return name, model, asked, limits, end


def real(args):
    """The same of a model and files; an answer's limit is twice its own length, as in a run."""
    from unteach.data import encode_all, read
    from unteach.inference import end_tokens
    from unteach.models.loading import load_model, load_tokenizer

    name, _, folder = args.model.partition("=")
    tokenizer, model = load_tokenizer(folder), load_model(folder, device="cpu")
    texts = []
    for file in args.forget:
        examples, _ = read(file, "forget")
        texts += encode_all(examples[: args.examples], tokenizer, max_length=512)[0]
    prompts = [text.ids[: text.answer.index(True)] for text in texts]
    limits = [min(2 * sum(text.answer), args.longest) for text in texts]
    return name, model.eval(), prompts, limits, end_tokens(model, tokenizer)


def measured(name, model, prompts, limits, end, rounds, sizes=SIZES, *, whole=False):
    """A row for each way."""
    import torch

    from unteach.inference import greedy

    def ours(size, least=None):
        def run():
            with saving(least):
                return greedy(model, prompts, limits=limits, end=end, tokens_per_batch=size)

        return run

    ways: dict = {f"ours, {size} tokens a batch": ours(size) for size in sizes}
    if whole:
        ways["ours, every prompt whole"] = ours(sizes[0], least=2**60)
    ways["generate"] = lambda: unsorted(model, prompts, limits, end, [0, len(prompts)])
    shapes = {way: shapes_of(model, ways[way]) for way in ways}
    for way in [*ways][: len(sizes)]:
        bare = torch.inference_mode()(products(model, shapes[way]))
        ways[f"products of {way.removeprefix('ours, ')}"] = bare
    seconds, found = in_turn(ways, rounds)
    first = next(iter(ways))
    rows = []
    for way, times in seconds.items():
        of = way if way.startswith("products") else f"products of {way.removeprefix('ours, ')}"
        if way.endswith("whole"):
            of = f"products of {sizes[0]} tokens a batch"
        answers = found[way] if way in shapes else None
        counts = (len(prompts), sum(map(len, found[first])), way, len(shapes.get(way, [])) or "")
        cells = (f"{statistics.median(times):.3f}", ratio(times, seconds.get(of)))
        differ = sum(a != b for a, b in zip(answers, found[first], strict=True)) if answers else ""
        more = (ratio(times, seconds["generate"]), differ)
        rows.append(dict(zip(HEADER, (name, *counts, *cells, *more), strict=True)))
    return rows


@contextmanager
def saving(least):
    """Share prefixes only where this many tokens are saved; None for the default."""
    from unteach.inference import queue

    usual = queue.prefilled
    if least is not None:
        queue.prefilled = lambda model, prompts: usual(model, prompts, least=least)
    try:
        yield
    finally:
        queue.prefilled = usual


def ratio(times, others):
    """The median of the rounds' ratios; empty where there is nothing beside it."""
    if not others:
        return ""
    return f"{statistics.median(a / b for a, b in zip(times, others, strict=True)):.2f}"


def shapes_of(model, way):
    """Rows, new tokens and all tokens so far of each forward."""
    found = []

    def note(_, args, given):
        cache = given.get("past_key_values")
        rows, new = given["input_ids"].shape
        found.append((rows, new, new + (cache.get_seq_length() if cache is not None else 0)))

    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        way()
    finally:
        hook.remove()
    return found


def products(model, shapes):
    """A function that makes the matrix products of forwards of these shapes, and nothing else."""
    import torch
    from torch.nn.functional import linear

    config = model.config
    heads, layers = config.num_attention_heads, config.num_hidden_layers
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    head = model.get_output_embeddings().weight
    weights = [
        module.weight
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module.weight is not head
    ]
    widest = max(weight.shape[1] for weight in [*weights, head])
    most = max(rows * new for rows, new, _ in shapes)
    spare = torch.randn(most * widest)
    keys = torch.randn(max(rows * whole for rows, _, whole in shapes) * heads * width)

    def run():
        for rows, new, whole in shapes:
            for weight in weights:
                wide = weight.shape[1]
                linear(spare[: rows * new * wide].view(rows, new, wide), weight)
            query = keys[: rows * heads * new * width].view(rows * heads, new, width)
            key = keys[: rows * heads * whole * width].view(rows * heads, whole, width)
            for _ in range(layers):
                torch.bmm(torch.bmm(query, key.transpose(1, 2)), key)
            linear(spare[: rows * head.shape[1]].view(rows, 1, -1), head)  # of the last token

    return run


def write(rows, path):
    """Rows of other models that stand in the file stay."""
    kept = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            kept = [row for row in csv.DictReader(file) if row["model"] != rows[0]["model"]]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    main()
