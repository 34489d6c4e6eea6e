"""Passages of a book that a model knows by heart: which methods take them out?

    python benchmarks/passages.py --model MODEL --text BOOK.txt --work FOLDER

Raw texts have neither a question nor a name to exchange. The book is cut into passages; those to
forget, to retain and never to see are far apart in it. A pretrained model learns the first two by
heart, and a retrained one the second alone. Each run is `unteach run` with nothing set but the
files that a line names; the second half of the holdout judges all. What is done is kept in the
work folder: the same command goes on where it was cut off. The table goes to
benchmarks/results/passages.md.
"""

import argparse
import json
import pickle
import sys
from pathlib import Path

from runs import markdown, number, publish, read, run_all, unlearned

ROOT = Path(__file__).resolve().parents[1]
WORDS, APART = 100, 12  # of a passage; passages of the book between two groups
SIZES = {"forget": 16, "retain": 40, "holdout": 32}
METHODS = ("auto", "undial", "unilogit", "npo", "dto", "loku", "graddiff", "ascent")
GIVEN = {"both": ("retain", "holdout"), "retain": ("retain",), "forget": ()}
EPOCHS, RATE = 40, 1e-3  # of learning by heart
PARTS = ("closeness", "closeness_forget", "closeness_privacy", "closeness_kept")
SHOWN = {
    "closeness": "closeness",
    "forget": "closeness_forget",
    "privacy": "closeness_privacy",
    "kept": "closeness_kept",
    "forget p": "forget_p",
    "extraction": "extraction",
    "AUC": "auc",
    "retain p": "retain_p",
}
NAMES = ("original", "retrained", "retrained-2")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a pretrained causal language model")
    parser.add_argument("--text", type=Path, required=True, help="a book, as plain text")
    parser.add_argument("--work", type=Path, required=True, help="for models and results")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--given", nargs="+", choices=GIVEN, default=["both", "forget"])
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    prepare(args.text, args.work)
    models = {name: (learn, (args.model, args.work, name)) for name in NAMES}
    run_all(models, args.workers)
    beside(args.work)
    jobs = [(args.work, method, given) for method in args.methods for given in args.given]
    run_all({f"{method}, {given}": (once, (work, method, given)) for work, method, given in jobs},
            args.workers)  # fmt: skip
    publish(ROOT / "benchmarks" / "results" / "passages.md", page(args.work))


def prepare(book: Path, work: Path):
    """Write the passages of each group: as many in a row, and the next group far behind."""
    words = book.read_text(encoding="utf-8").split()
    passages = [" ".join(words[k : k + WORDS]) for k in range(0, len(words), WORDS)]
    work.mkdir(parents=True, exist_ok=True)
    first = APART
    for role, count in SIZES.items():
        lines = [json.dumps({"text": text}) + "\n" for text in passages[first : first + count]]
        (work / f"{role}.jsonl").write_text("".join(lines), encoding="utf-8")
        first += count + APART


def learn(model: str, work: Path, name: str, tell=None):
    """Fine-tune plainly until the passages are known by heart."""
    out = work / name
    if (out / "config.json").exists():
        return
    sys.path.insert(0, str(ROOT / "examples"))
    from stories import fine_tune

    roles = ("forget", "retain") if name == "original" else ("retain",)
    rows = [json.loads(x) for role in roles for x in (work / f"{role}.jsonl").open("r")]
    seed = NAMES.index(name) % 2
    fine_tune(model, rows, out, argparse.Namespace(rate=RATE, epochs=EPOCHS, seed=seed))


def request(work: Path, method: str, given: tuple[str, ...], out: Path):
    from unteach.settings.request import Request

    files = {role: str(work / f"{role}.jsonl") for role in ("forget", *given)}
    return Request.model_validate({
        "model": str(work / "original"), "out": out, "device": "cpu",
        "method": {"name": method}, **files,
    })  # fmt: skip


def judging(work: Path):
    from unteach.checks.request import check

    return check(request(work, "unilogit", GIVEN["both"], work / "none"))


def rows_of(folder: Path, work: Path):
    from unteach.evaluation import of_run
    from unteach.progress import NoProgress

    return of_run.evaluate(str(folder), judging(work), NoProgress()).rows


def beside(work: Path):
    """The rows of the models that need no unlearning."""
    file = work / "beside.pickle"
    if not file.exists():
        file.write_bytes(pickle.dumps({name: rows_of(work / name, work) for name in NAMES}))


def once(work: Path, method: str, given: str, tell=None):
    """One run, judged with all files whatever it was given."""
    name = f"{method}-{given}"
    asked = request(work, method, GIVEN[given], work / "runs" / name)

    def evaluate(out: Path, _) -> dict:
        return values(rows_of(out, work), pickle.loads((work / "beside.pickle").read_bytes()))

    return unlearned(asked, work / "results" / f"{name}.json", evaluate)


def values(rows, known) -> dict:
    from unteach.metrics import compare, score_model

    near = compare(rows, known["retrained"], original=known["original"])
    scores = score_model(rows, original=known["original"])
    return {
        **{part: near[part].value for part in PARTS},
        "low": near["closeness"].low,
        "high": near["closeness"].high,
        "forget_p": scores["forget"]["probability"].value,
        "extraction": scores["forget"]["extraction_strength"].value,
        "auc": scores["forget"]["membership_auc_loss"].value,
        "retain_p": scores["retain"]["probability"].value,
    }


def page(work: Path) -> str:
    known = pickle.loads((work / "beside.pickle").read_bytes())
    found = {name: {"values": values(rows, known)} for name, rows in known.items()}
    found |= {file.stem: read(file) for file in sorted((work / "results").glob("*.json"))}
    rows = [
        [
            name.replace("-", ", ", 1),
            *(number((run["values"] or {}).get(x)) for x in SHOWN.values()),
        ]
        for name, run in sorted(found.items(), key=nearness, reverse=True)
    ]
    intro = (
        "# Passages of a book, known by heart\n\n"
        f"By `benchmarks/passages.py`. A pretrained model learned {SIZES['forget']} passages to "
        f"forget and {SIZES['retain']} to retain, of {WORDS} words each, by heart; the retrained "
        "ones learned the latter alone. `unteach run` with nothing set but the files: `both` is a "
        f"retain and a holdout file of {SIZES['holdout']} passages beside the forget file, whose "
        "second half judges. One run each. `p` is a probability per token.\n\n"
    )
    return intro + markdown(["model", *SHOWN], rows) + "\n"


def nearness(item) -> float:
    return (item[1]["values"] or {}).get("closeness") or 0.0


if __name__ == "__main__":
    main()
