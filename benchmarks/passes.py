"""How many tokens go through models in a run, padding included, beside the fewest that could.

    python benchmarks/passes.py --model NAME=FOLDER --forget FILE --retain FILE

Counted at the embedding during `unteach run` (UnDIAL, NLL, two epochs, an empty cache). *fewest* is
each text once without padding: of training the rows of every step and the forget rows once before
it; of the original its own texts, its prompts and what it said; of the unlearned model the same,
and once more, by the original, its prompts with what it said.
"""

import argparse
import csv
import tempfile
from collections import Counter
from pathlib import Path

from measure import RESULTS

HEADER = ("model", "rows", "part", "tokens", "without padding", "fewest", "times fewest", "goal")
TRAINING, BEFORE = "training", "rows before training"
PARTS = {"evaluating: original": "original", "loading the model": BEFORE,
         "evaluating: unlearned": "unlearned", "comparing with the original": "divergence",
         "writing the report": "report"}  # fmt: skip
EVALUATION = ("original", "unlearned", "divergence")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="NAME=FOLDER")
    parser.add_argument("--forget", required=True)
    parser.add_argument("--retain", required=True)
    parser.add_argument("--out", type=Path, default=RESULTS / "passes.csv")
    args = parser.parse_args()
    name, _, folder = args.model.partition("=")
    with tempfile.TemporaryDirectory() as work:
        counts, fewest, rows = counted(folder, args.forget, args.retain, Path(work, "out"))
    lines = []
    for part, least in fewest.items():
        names = EVALUATION if part == "evaluation" else (part,)
        tokens, real = (sum(counts[name, kind] for name in names) for kind in ("all", "real"))
        goal = {"evaluation": 2.0, TRAINING: 1.3}.get(part, "")
        lines.append((name, rows, part, tokens, real, least, f"{tokens / least:.2f}", goal))
        print(*lines[-1], sep="  ")
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(lines)


def counted(folder, forget, retain, out):
    """Tokens by part, with padding and without; the fewest; the rows of both files."""
    import torch
    from torch.nn.modules.module import register_module_forward_pre_hook

    from unteach.checks.request import check
    from unteach.evaluation.of_run import RunEvaluation
    from unteach.files.rows import read_rows
    from unteach.pipeline import run
    from unteach.settings.request import Request

    torch.set_num_threads(1)
    counts, heard = Counter(), Parts()

    def count(module, given):
        if isinstance(module, torch.nn.Embedding):
            part = TRAINING if heard.part == BEFORE and torch.is_grad_enabled() else heard.part
            counts[part, "all"] += given[0].numel()
            counts[part, "real"] += int((given[0] != 0).sum())  # our padding is of zeros

    request = Request.model_validate({
        "model": folder, "forget": forget, "retain": retain, "out": str(out), "train_anyway": True,
        "method": {"name": "undial"}, "train": {"epochs": 2, "retain": "nll"}, "device": "cpu",
        "evaluate": {"cache": False},
    })  # fmt: skip
    handle = register_module_forward_pre_hook(count)
    run(request, heard)
    handle.remove()
    intake = check(request.model_copy(update={"overwrite": True}))
    asked = RunEvaluation(intake).plan.questions(intake.tokenizer)
    own = sum(map(len, {q.text.ids for q in asked if q.text}))
    prompts = sum(map(len, {q.prompt.ids for q in asked if q.prompt}))
    said = {
        name: sum(
            row.said_tokens or 0
            for rows in read_rows(out / "rows" / f"{name}.jsonl")[0].values()
            for row in rows
        )
        for name in ("original", "unlearned")
    }
    evaluation = 2 * (own + prompts) + sum(said.values()) + prompts + said["unlearned"]
    fewest = {
        "evaluation": evaluation,
        TRAINING: counts[TRAINING, "real"],
        BEFORE: counts[BEFORE, "real"],
    }
    rows = " + ".join(str(len(examples)) for examples in intake.groups.values())
    return counts, fewest, rows


class Parts:
    """A listener that knows which part of the run goes on."""

    part = "start"

    def stage(self, text):
        self.part = PARTS.get(text, self.part)

    def progress(self, what, done, total):
        self.stage(what)

    def training(self, step, total, logs):
        pass

    def notes(self, notes):
        pass


if __name__ == "__main__":
    main()
