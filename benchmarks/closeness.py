"""Closeness of every model of a demo, beside the numbers that it is compared with.

    unteach demo --method all --out DIR
    python benchmarks/closeness.py DIR [DIR ...] --out benchmarks/results/closeness.md

Reads the rows alone; several demos (other seeds, other presets) make several tables.
"""

import argparse
import json
from pathlib import Path
from random import Random
from statistics import mean, pstdev

from numpy import arange
from runs import markdown, publish
from scipy.stats import ks_2samp

from unteach.files.rows import read_rows
from unteach.metrics import METRICS, ModelCase, compare, score_model
from unteach.metrics._values import area, attacked, tables
from unteach.metrics._values import mean as whole
from unteach.metrics._values import shown as shown_of
from unteach.metrics.aggregate import AGGREGATE_VERSION, ATTACKS
from unteach.metrics.closeness import (
    CLOSENESS_VERSION,
    closeness_forget,
    closeness_kept,
    closeness_privacy,
    forget_part,
    kept_part,
    privacy_part,
)
from unteach.metrics.yardstick import never_seen
from unteach.types import Score

HEADER = (
    "model", "closeness", "95%", "forget", "privacy", "kept", "forget quality", "utility",
    "aggregate", "fluency", "forget p", "fact given", "AUC", "retain p",
)  # fmt: skip
OTHERS = ("defined otherwise", "privacy", "by AUC alone", "by KS of losses", "kept", "kept from 0",
          "arithmetic mean of the three", "closeness", "with 40 examples a group")  # fmt: skip
CHECKED = ("probability", "perplexity", "rouge_l_recall", "extraction_strength",
           "exact_memorization", "fact_recall", "membership_auc_loss")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/closeness.md"))
    args = parser.parse_args()
    parts = [
        "# Closeness of every demo method\n\nBy `benchmarks/closeness.py` from the demos' rows, "
        f"closeness version {CLOSENESS_VERSION}, aggregate version {AGGREGATE_VERSION}. What the "
        "numbers mean: `docs/concepts/closeness.md`."
    ]
    for folder in args.demos:
        facts = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["facts"]
        rows = {file.stem: read_rows(file)[0] for file in sorted((folder / "rows").glob("*.jsonl"))}
        lines = sorted((line(name, rows) for name in rows), key=lambda x: -float(x[1]))
        parts += [f"## Demo, {facts['world']}", markdown(HEADER, lines), yardstick(rows)]
        parts += [markdown(OTHERS, others(rows))]
    publish(args.out, "\n\n".join(parts) + "\n")


def line(name, rows):
    original, retrained = rows["original"], rows["retrained"]
    found = compare(rows[name], retrained, original=original)
    scores = score_model(rows[name], original=original)
    whole = found["closeness"]
    utility = scores["retain"]["model_utility"].value
    ends = "-" if whole.low is None else f"{whole.low:.2f} to {whole.high:.2f}"
    forget = scores["forget"]
    return [
        name, f"{whole.value:.3f}", ends,
        *(shown(found[f"closeness_{part}"]) for part in ("forget", "privacy", "kept")),
        f"{found['forget_quality'].value:.1e}", f"{utility:.2f}", shown(found["aggregate"]),
        shown(forget["fluency"]), shown(forget["probability"]), shown(forget["fact_recall"]),
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


def others(rows):
    """Definitions that were tried and left, beside those that were taken."""
    lines = []
    for name in rows:
        case = ModelCase(rows[name], original=rows["original"], retrained=rows["retrained"])
        found = [one(case).value for one in (closeness_forget, closeness_privacy, closeness_kept)]
        few = [bare(thinned(case, seed)) for seed in range(10)]
        values = (found[1], by_auc(case), by_ks(case), found[2], kept_from_0(case),
                  mean(found), bare(case))  # fmt: skip
        small = f"{mean(few):.2f} (sd {pstdev(few):.2f})"
        lines.append([name, *(f"{value:.2f}" for value in values), small])
    return sorted(lines, key=lambda x: -float(x[7]))


def bare(case):
    """Closeness without its interval, which takes most of the time."""
    parts = [part(case) for part in (forget_part, privacy_part, kept_part)]
    return harmonic(
        [float(p.of({g: arange(n)[None] for g, n in p.sizes.items()})[0]) for p in parts]
    )


def by_auc(case):
    models = [case.model, case.retrained]
    aucs = [
        [METRICS.get(f"membership_auc_{name}")("forget", m).value for name in ATTACKS]
        for m in models
    ]
    return 1 - 2 * mean(abs(a - b) for a, b in zip(*aucs, strict=True))


def by_ks(case):
    ours, theirs = tables(attacked, [case.model, case.retrained], "forget")
    return 1 - ks_2samp(ours["loss"], theirs["loss"]).statistic


def kept_from_0(case):
    """The same areas, over what the retrained model shows in all."""
    values = []
    for group in (g for g in case.model if g != "forget"):
        ours, theirs = tables(shown_of, [case.model, case.retrained], group)
        away = sum(area(ours[name], theirs[name]) for name in theirs)
        values.append(max(1 - away / sum(whole(values) for values in theirs.values()), 0))
    return harmonic(values)


def thinned(case, seed, count=40):
    """The same 40 examples of each group for all models."""
    random, chosen = Random(seed), {}
    for group, found in case.retrained.items():
        ids = sorted({row.id for row in found})
        chosen[group] = set(random.sample(ids, min(count, len(ids))))
    few = [
        {g: [row for row in found if row.id in chosen[g]] for g, found in groups.items()}
        for groups in (case.model, case.original, case.retrained)
    ]
    return ModelCase(few[0], original=few[1], retrained=few[2])


def harmonic(values):
    return len(values) / sum(1 / v for v in values) if min(values) > 0 else 0.0


def shown(score: Score):
    return "-" if score.value is None else f"{score.value:.2f}"


if __name__ == "__main__":
    main()
