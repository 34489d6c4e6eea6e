"""Do the defaults work on a real model? Every method on the case of `examples/stories.py`.

    python examples/stories.py --model MODEL --tofu TOFU_FOLDER --out case
    python benchmarks/defaults.py --case case --out benchmarks/results/stories3m-defaults.md

A method passes when the forget answers' probability ends at most 0.1 above the retrained model's,
and the retain answers keep 80% of theirs (60% where the method sees no retain data).
"""

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

THE_FOUR = ("dto", "unilogit", "undial", "loku")
FIRST = (*THE_FOUR, "ascent", "graddiff", "npo")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--methods", nargs="+", default=every())
    parser.add_argument("--set", dest="sets", action="append", default=[])
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = [(name, args.case, Path(folder) / name, args.sets) for name in args.methods]
        with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
            results = list(pool.map(once, jobs))
    text = table(dict(zip(args.methods, results, strict=True)), args)
    print(text)
    if args.out:
        args.out.write_text(text)


def every():
    """All methods, the four first; DPO would need answers that TOFU does not give."""
    from unteach.methods import METHODS

    return [*FIRST, *(name for name in METHODS if name not in (*FIRST, "dpo"))]


def once(job):
    """One run with the method's defaults; its report."""
    name, case, out, sets = job
    import torch

    torch.set_num_threads(1)
    from unteach import pipeline
    from unteach.settings.request import load

    files = {group: str(case / f"{group}.jsonl") for group in ("forget", "retain", "holdout")}
    flags = {"model": str(case / "original"), "retrained": str(case / "retrained")}
    request = load(flags={**flags, **files, "method": name, "out": str(out)}, sets=sets)
    return pipeline.run(request)


def table(reports, args):
    from unteach.methods import METHODS

    first = next(iter(reports.values()))
    rows = [line(first, "original", "-"), line(first, "retrained", "-")]
    never = first.value("retrained", "forget", "probability")
    before = first.value("original", "retain", "probability")
    for name, report in reports.items():
        share = 0.8 if METHODS.get(name).plan.retain != "none" else 0.6
        forgotten = report.value("unlearned", "forget", "probability") <= never + 0.1
        kept = report.value("unlearned", "retain", "probability") >= share * before
        verdict = "yes" if forgotten and kept else "no"
        why = "" if forgotten else " (not forgotten)"
        why += "" if kept else " (rest not kept)"
        rows.append(line(report, "unlearned", verdict + why, name))
    header = (
        "| model | forget p | forget ROUGE-L | extraction strength | membership AUC "
        "| retain p | retain ROUGE-L | forget quality | steps | training s | holds |"
    )
    facts = first.facts
    versions = ", ".join(f"{name} {facts[name]}" for name in ("unteach", "torch", "transformers"))
    return "\n".join(
        [
            "# Defaults on a real model",
            "",
            f"By `benchmarks/defaults.py`{' with ' + ', '.join(args.sets) if args.sets else ''}; "
            "the case is that of `examples/stories.py`: a 3.1M-parameter model pretrained on "
            "children's stories, fine-tuned on TOFU's forget01 (40 pairs) and 200 pairs of "
            "retain99; the retrained model on the 200 alone. CPU, one thread a process, several "
            f"at a time, so seconds are rough. {versions}.",
            "",
            "*holds*: forget p at most the retrained model's + 0.1, and retain p at least 80% of "
            "the original's (60% for methods that see no retain data).",
            "",
            header,
            "|---|" + "---:|" * 9 + "---|",
            *rows,
            "",
        ]
    )


def line(report, model, verdict, name=None):
    from unteach.report.table import number

    questions = (
        ("forget", "probability"),
        ("forget", "rouge_l_recall"),
        ("forget", "extraction_strength"),
        ("forget", "membership_auc_loss"),
        ("retain", "probability"),
        ("retain", "rouge_l_recall"),
    )
    cells = [number(report.value(model, *question)) for question in questions]
    cells.append(number(report.compared(model, "forget_quality").value))
    facts = report.facts if name else {}
    cells += [str(facts.get("steps", "-")), str(facts.get("training_seconds", "-"))]
    return "| " + " | ".join([name or model, *cells, verdict]) + " |"


if __name__ == "__main__":
    main()
