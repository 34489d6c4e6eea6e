"""Do the selectors choose what an answer hinges on? Against the facts of the demo's world.

    python benchmarks/selected_tokens.py --out benchmarks/results/selectors-demo.md

Each forget answer has one fact, a substring of it. A fact token is an answer token that shares a
character with the fact. Recall is the share of fact tokens that are chosen, precision the share of
chosen tokens that are fact tokens, both over the whole forget set. (The script is not called
`selectors.py`, which would hide Python's own module of that name.)
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

SELECTORS = {
    "delta": ("delta", {}),
    "delta, ratio 0.5": ("delta", {"ratio": 0.5}),
    "delta, suffix as target": ("delta", {"suffix": "target"}),
    "subject, ratio 0.2": ("subject", {"ratio": 0.2}),
    "subject": ("subject", {}),
    "subject, ratio 0.5": ("subject", {"ratio": 0.5}),
    "subject, one swap": ("subject", {"swaps": 1}),
    "informative": ("informative", {}),
    "spans: the fact": ("spans", {}),
}
COLUMNS = ("recall", "precision", "chosen", "empty", "seconds")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--work", type=Path, help="where demo models are kept between calls")
    parser.add_argument("--pipeline", help="a spaCy pipeline, for entities and noun_chunks")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = [(args.work or Path(folder), args.preset, args.pipeline, s) for s in args.seeds]
        with ProcessPoolExecutor(len(jobs), mp_context=get_context("spawn")) as pool:
            found = list(pool.map(once, jobs))
    text = table(dict(zip(args.seeds, found, strict=True)), args)
    print(text)
    if args.out:
        args.out.write_text(text)


def once(job):
    """Every selector on one world: name -> its numbers."""
    work, preset, pipeline, seed = job
    import torch

    torch.set_num_threads(1)
    from unteach.demo import jobs
    from unteach.models.loading import load_model, load_tokenizer
    from unteach.training.selection import ModelOracle

    folder = work / f"{preset}-{seed}"
    if not (folder / "original").exists():
        jobs.prepare(folder, seed, preset, lambda *_: None)
        jobs.train(folder, "original", seed, preset, lambda *_: None)
    tokenizer = load_tokenizer(str(folder / "tokenizer"))
    sequences = marked(folder / "data" / "forget.jsonl", tokenizer)
    oracle = ModelOracle(load_model(str(folder / "original"), device="cpu"), tokenizer)
    wanted = SELECTORS | ({} if pipeline is None else parsed(pipeline))
    return {label: measured(*wanted[label], sequences, oracle) for label in wanted}


def parsed(pipeline):
    return {name: (name, {"pipeline": pipeline}) for name in ("entities", "noun_chunks")}


def marked(path, tokenizer):
    """The forget set with the facts as the user's spans."""
    import json

    from unteach.data import encode_all, read_rows

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        start = row["answer"].rindex(row["fact"])
        row["spans"] = [[start, start + len(row["fact"])]]
    return encode_all(read_rows(rows, "forget"), tokenizer, max_length=128)[0]


def measured(name, options, sequences, oracle):
    from unteach.selectors import selector_of, tokens_in

    began = time.monotonic()
    choices = list(selector_of(name, options).choose(sequences, oracle, 0))
    seconds = time.monotonic() - began
    facts = [tokens_in(s, s.spans) for s in sequences]
    hits = sum(len(c.chosen & f) for c, f in zip(choices, facts, strict=True))
    chosen = sum(len(c.chosen) for c in choices)
    return {
        "recall": hits / sum(map(len, facts)),
        "precision": hits / max(chosen, 1),
        "chosen": chosen / sum(sum(s.answer) for s in sequences),
        "empty": sum(not c.chosen for c in choices),
        "seconds": seconds,
        "facts": sum(map(len, facts)) / sum(sum(s.answer) for s in sequences),
        "answers": len(sequences),
        "plain": sum(not looks(s) for s in sequences) / len(sequences),
    }


def looks(sequence):
    """Whether the fact has a capital or a digit."""
    ((first, last),) = sequence.spans
    return any(c.isupper() or c.isdigit() for c in sequence.text[first:last])


def table(found, args):
    import unteach

    first = next(iter(found.values()))
    any_row = next(iter(first.values()))
    facts = ", ".join(f"{next(iter(rows.values()))['facts']:.2f}" for rows in found.values())
    plain = ", ".join(f"{next(iter(rows.values()))['plain']:.2f}" for rows in found.values())
    head = " | ".join(f"{column}, seed {seed}" for seed in found for column in COLUMNS)
    lines = [
        "# What the selectors choose in the demo's world",
        "",
        f"By `benchmarks/selected_tokens.py`, preset {args.preset}, unteach {unteach.__version__}. "
        f"{any_row['answers']} forget answers in each world; the share of answer tokens that are "
        f"fact tokens is {facts}. *chosen*: share of the answer tokens that are chosen; *empty*: "
        "answers with nothing chosen; *seconds* on one CPU thread. Nothing was unlearned here. "
        f"The share of facts with neither capital nor digit (jobs, pets, colours), which "
        f"informative cannot see, is {plain}. At ratio 0.3 no selector can be more precise than "
        "about half: it chooses twice as many tokens as there are fact tokens.",
        "",
        f"| selector | {head} |",
        "|---|" + "---:|" * len(COLUMNS) * len(found),
    ]
    for label in first:
        cells = [number(rows[label][c], c) for rows in found.values() for c in COLUMNS]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def number(value, column):
    return (
        f"{value:.0f}"
        if column == "empty"
        else f"{value:.1f}"
        if column == "seconds"
        else f"{value:.2f}"
    )


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
