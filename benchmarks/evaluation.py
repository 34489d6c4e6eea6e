"""What an evaluation costs: metrics of one forward, and greedy answers in a queue.

    python benchmarks/evaluation.py --out benchmarks/results/evaluation.csv

*scoring*: `answer_tokens` once, beside a forward for each group of metrics (`separate_metrics.py`).
*answers*: `greedy` on all prompts, beside each dataset for itself, 32 prompts a batch in the order
given, until the batch's last row ends. Random weights; end tokens are chosen so that about 5% of
the answers go on to their limit. CPU time of this process on one thread, rounds of all ways in
turn, medians; times_ours is the median of the rounds' ratios. Differences of scores are the largest
of any text, relative to the score; those of answers count the prompts answered otherwise.
`--only` runs one of the two and leaves the other's rows in the file.
"""

import argparse
import csv
import itertools
import os
import random
import statistics
import sys
import time
from pathlib import Path

# Freed memory is kept: page faults of each large tensor anew would be half of what is measured.
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33)}
COLUMNS = ("part", "way", "forwards", "row_steps", "cpu_seconds", "times_ours", "difference", "on")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=8, help="of the scored model")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=128_256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=112)
    parser.add_argument("--answer", type=int, default=46, help="tokens of them that are answer")
    parser.add_argument("--prompts", type=int, default=200)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    rows = []
    for part in [args.only] if args.only else PARTS:
        rows += PARTS[part](args)
    print(table(rows))
    if args.out:
        write(rows, args.out)


def llama(layers, hidden, vocabulary, heads):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=4 * hidden,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=heads,
        max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1,
        pad_token_id=1, initializer_range=0.1,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def scoring(args):
    """Every group of metrics with its own forward, beside `answer_tokens` once."""
    from separate_metrics import GROUPS, batch_of, of_answers

    from unteach.inference import answer_tokens

    model = llama(args.layers, args.hidden, args.vocabulary, 8)
    texts = sequences(model, args)
    batch = batch_of(texts)
    ways = {"answer_tokens": lambda: answer_tokens(model, texts)}
    ways |= {group.__name__: plain(group, model, batch) for group in GROUPS}
    seconds, found = in_turn(ways, args.rounds)
    ours = seconds.pop("answer_tokens")
    own = of_answers(found.pop("answer_tokens"))
    on = f"{args.layers} x {args.hidden}, V {args.vocabulary}, {args.batch} x {args.tokens}"
    rows = [row("scoring", "ours", 1, "", ours, ours, "", on)]
    for name, times in seconds.items():
        forwards = counted(model, ways[name])[0]
        rows.append(row("scoring", name, forwards, "", times, ours, furthest(found[name], own), on))
    apart = [sum(times) for times in zip(*seconds.values(), strict=True)]
    forwards = sum(r["forwards"] for r in rows[1:])
    return [*rows, row("scoring", "all groups", forwards, "", apart, ours, "", on)]


def sequences(model, args):
    """Texts of one length; of each answer the first half is random, the second the model's own."""
    from unteach.inference import greedy
    from unteach.types import Sequence

    drawn = random.Random(0)
    own = args.answer // 2
    texts = [drawn.choices(range(2, args.vocabulary), k=args.tokens) for _ in range(args.batch)]
    begun = [tuple(text[: args.tokens - own]) for text in texts]
    said = greedy(model, begun, limits=[own] * args.batch, end=[1])
    mask = (False,) * (args.tokens - args.answer) + (True,) * args.answer
    whole = [(*a, *b, *t[len(a) + len(b) :]) for a, b, t in zip(begun, said, texts, strict=True)]
    return [Sequence(str(k), ids, mask) for k, ids in enumerate(whole)]


def plain(group, model, batch):
    import torch

    return torch.inference_mode()(lambda: group(model, batch))


def furthest(found, own):
    """The largest relative distance of a value from ours."""
    pairs = [pair for name in found for pair in zip(found[name], own[name], strict=True)]
    return max(0.0 if a == b else abs(a - b) / max(abs(a), abs(b)) for a, b in pairs)


def answers(args):
    """The queue beside batches of 32 of each dataset, as they come."""
    from unteach.inference import greedy

    model = llama(4, 128, 2000, 4)
    prompts, limits = questions(args.prompts)
    end = endings(greedy(model, prompts, limits=limits, end=[1]), limits)
    given = {"limits": limits, "end": end}
    ways = {
        "ours": lambda: greedy(model, prompts, **given),
        "32 a batch, unsorted": lambda: unsorted(model, prompts, limits, end),
    }
    counts = {name: counted(model, way) for name, way in ways.items()}
    seconds, found = in_turn(ways, args.rounds)
    lasting = sum(len(a) == n for a, n in zip(found["ours"], limits, strict=True))
    on = f"4 x 128, V 2000, {args.prompts} prompts, {lasting} to the limit"
    rows = []
    for name, (forwards, steps) in counts.items():
        other = sum(a != b for a, b in zip(found[name], found["ours"], strict=True))
        rows.append(
            row("answers", name, forwards, steps, seconds[name], seconds["ours"], other, on)
        )
    return rows


def questions(count):
    """Prompts and limits of unequal lengths; a limit is twice the answer's length, as in `own`."""
    drawn = random.Random(0)
    lengths = [min(max(int(drawn.lognormvariate(3.3, 0.6)), 6), 150) for _ in range(count)]
    limits = [2 * min(max(int(drawn.lognormvariate(3.5, 0.7)), 8), 128) for _ in range(count)]
    return [tuple(drawn.choices(range(2, 2000), k=n)) for n in lengths], limits


def endings(said, limits, lasting=0.05):
    """Tokens that, ending an answer, leave about this share of them to go on to their limit."""
    drawn = random.Random(0)
    end, going = [1], said
    while len(going) > lasting * len(limits):
        end.append(drawn.choice(drawn.choice(going)))
        going = [a for a in going if end[-1] not in a]
    return end


def unsorted(model, prompts, limits, end, cuts=None):
    """Of each dataset for itself; unless given, half are one, a third and a sixth the others."""
    import torch
    from transformers import GenerationConfig

    from unteach.inference import left_padded

    cuts = cuts or [0, len(prompts) // 2, len(prompts) * 5 // 6, len(prompts)]
    found = []
    for first, last in itertools.pairwise(cuts):
        for start in range(first, last, 32):
            place = slice(start, min(start + 32, last))
            ids, attention = left_padded(prompts[place], model.device)
            config = GenerationConfig(
                do_sample=False, max_new_tokens=max(limits[place]), eos_token_id=end, pad_token_id=1
            )
            with torch.inference_mode():
                out = model.generate(
                    input_ids=ids, attention_mask=attention, generation_config=config
                )
            for new, limit in zip(out[:, ids.shape[1] :].tolist(), limits[place], strict=True):
                stop = next((k for k, token in enumerate(new) if token in end), len(new))
                found.append(new[:stop][:limit])
    return found


def counted(model, way):
    """Forwards, and rows of all steps after the prompt's."""
    shapes = []
    hook = model.register_forward_pre_hook(
        lambda _, args, given: shapes.append(given["input_ids"].shape), with_kwargs=True
    )
    way()
    hook.remove()
    return len(shapes), sum(n for n, width in shapes if width == 1)


def in_turn(ways, rounds):
    """CPU seconds of every way in each round, and what each found in one that is not counted."""
    found = {name: way() for name, way in ways.items()}
    seconds = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            way()
            seconds[name].append(time.process_time() - began)
    return seconds, found


def row(part, way, forwards, steps, seconds, ours, difference, on):
    ratio = statistics.median(a / b for a, b in zip(seconds, ours, strict=True))
    if isinstance(difference, float):
        difference = f"{difference:.1e}"
    cells = (f"{statistics.median(seconds):.3f}", f"{ratio:.2f}", difference, on)
    return dict(zip(COLUMNS, (part, way, forwards, steps, *cells), strict=True))


def table(rows):
    cells = [COLUMNS, *([str(r[c]) for c in COLUMNS] for r in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(c.ljust(n) for c, n in zip(line, widths, strict=True)) for line in cells
    )


def write(rows, path, parts=()):
    """Rows of other parts that stand in the file stay."""
    order, kept = [*(parts or PARTS)], []
    if path.exists():
        with path.open(newline="") as file:
            kept = [r for r in csv.DictReader(file) if r["part"] not in {s["part"] for s in rows}]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted([*kept, *rows], key=lambda r: order.index(r["part"])))


PARTS = {"scoring": scoring, "answers": answers}

if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    main()
