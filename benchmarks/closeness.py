"""Closeness of every model of a demo, beside the numbers that it is compared with.

    unteach demo --method all --out DIR
    python benchmarks/closeness.py DIR [DIR ...] --out benchmarks/results/closeness.md

Reads the rows alone; several demos (other seeds, other presets) make several tables.
"""

import argparse
import json
from pathlib import Path

from runs import markdown, publish

from unteach.metrics import compare, score_model
from unteach.metrics.closeness import CLOSENESS_VERSION
from unteach.metrics.yardstick import never_seen
from unteach.nouns import Row, Score

HEADER = (
    "model", "closeness", "95%", "forget", "privacy", "kept", "forget quality", "utility",
    "aggregate", "without fluency", "forget p", "fact given", "AUC", "retain p",
)  # fmt: skip
CHECKED = ("probability", "perplexity", "rouge_l_recall", "extraction_strength",
           "exact_memorization", "fact_recall", "membership_auc_loss")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/closeness.md"))
    args = parser.parse_args()
    parts = [
        "# Closeness of every demo method\n\nBy `benchmarks/closeness.py` from the demos' rows, "
        f"closeness version {CLOSENESS_VERSION}. *Without fluency* is the aggregate with model "
        "utility alone as its third part. What the numbers mean: `docs/concepts/closeness.md`."
    ]
    for folder in args.demos:
        facts = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["facts"]
        rows = {file.stem: read(file) for file in sorted((folder / "rows").glob("*.jsonl"))}
        lines = sorted((line(name, rows) for name in rows), key=lambda x: -float(x[1]))
        parts += [f"## Demo, {facts['world']}", markdown(HEADER, lines), yardstick(rows)]
    publish(args.out, "\n\n".join(parts) + "\n")


def line(name, rows):
    original, retrained = rows["original"], rows["retrained"]
    found = compare(rows[name], retrained, original=original)
    scores, before = score_model(rows[name], original=original), score_model(original)
    whole = found["closeness"]
    utility = scores["retain"]["model_utility"].value
    share = min(utility / before["retain"]["model_utility"].value, 1)
    parts = [found["aggregate_memorization"].value, found["aggregate_privacy"].value, share]
    ends = "-" if whole.low is None else f"{whole.low:.2f} to {whole.high:.2f}"
    forget = scores["forget"]
    return [
        name, f"{whole.value:.3f}", ends,
        *(shown(found[f"closeness_{part}"]) for part in ("forget", "privacy", "kept")),
        f"{found['forget_quality'].value:.1e}", f"{utility:.2f}", shown(found["aggregate"]),
        f"{harmonic(parts):.2f}", shown(forget["probability"]), shown(forget["fact_recall"]),
        shown(forget["membership_auc_loss"]), shown(scores["retain"]["probability"]),
    ]  # fmt: skip


def yardstick(rows):
    """What the original's holdout says of a model that never saw, beside one that did not."""
    expected = never_seen(rows["retrained"], original=rows["original"])
    models = [name for name in ("retrained", "retrained-2") if name in rows]
    found = {name: score_model(rows[name])["forget"] for name in (*models, "original")}
    lines = [
        [name, shown(expected[name]), f"{expected[name].low:.2f} to {expected[name].high:.2f}",
         *(shown(found[model][name]) for model in found)]
        for name in CHECKED if name in expected and expected[name].low is not None
    ]  # fmt: skip
    header = ("on forget", "never seen, from the holdout", "95%", *found)
    return markdown(header, lines)


def read(file):
    groups = {}
    for text in file.read_text(encoding="utf-8").splitlines():
        record = json.loads(text)
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        groups.setdefault(values.pop("group"), []).append(Row(**values))
    return groups


def harmonic(values):
    return len(values) / sum(1 / v for v in values) if min(values) > 0 else 0.0


def shown(score: Score):
    return "-" if score.value is None else f"{score.value:.2f}"


if __name__ == "__main__":
    main()
