"""The table of `benchmarks/smollm2.py`: one line for each run, in a CSV file and as Markdown."""

from runs import markdown, number

COLUMNS = (
    *("method", "adapter", "rate", "seed", "closeness", "low", "high", "forget", "privacy", "kept"),
    *("forget_p", "still_given", "extraction", "auc", "retain_p", "holdout_p", "harmed_retain"),
    *("fluency", "ordinary_kl", "texts_kl", "ordinary_right", "steps", "drawn_back_to"),
    *("cpu_seconds", "peak_mib", "exit_code"),
)
BASELINES = ("original", "retrained")
NEAR = {  # a column: the comparison with the retrained model that it shows, and what of it
    "closeness": ("closeness", "value"),
    "low": ("closeness", "low"),
    "high": ("closeness", "high"),
    "forget": ("closeness_forget", "value"),
    "privacy": ("closeness_privacy", "value"),
    "kept": ("closeness_kept", "value"),
}
SHOWN = {  # heading of a column: its name in the CSV file
    "closeness": "closeness",
    "forget": "forget",
    "privacy": "privacy",
    "kept": "kept",
    "forget p": "forget_p",
    "still given": "still_given",
    "extraction": "extraction",
    "AUC": "auc",
    "retain p": "retain_p",
    "harmed": "harmed_retain",
    "fluency": "fluency",
    "KL": "ordinary_kl",
    "KL, texts": "texts_kl",
    "right": "ordinary_right",
    "steps": "steps",
    "min": "cpu_seconds",
    "GiB": "peak_mib",
}
INTRO = """\
# Methods with their defaults on SmolLM2-135M-Instruct

By `benchmarks/smollm2.py`. The chat model learned {learned} answers about TOFU's authors by heart
(`examples/smollm2.py`); {forgotten} of them are to be forgotten. Each line is `unteach run` with a
retain and a holdout file and nothing else set but what the line names: one run in float32 on a CPU,
one thread, beside other work.

- *closeness* to the model that learned the other {kept} alone, and its parts (*forget*, *privacy*,
  *kept*)
- *p*: a probability per token; *still given*: forget answers; *harmed*: retain answers
- *AUC*: of telling forget answers from holdout answers by their loss
- *KL*: the distance from the original's choices on 40 ordinary questions and on 20 plain sentences
  that nobody trained (suite `ordinary`), in nats a token; *right*: the share of right answers to
  these questions
- *min*: processor time of the whole run with its evaluation; *GiB*: its peak memory
"""
WHOLE = ("still_given", "harmed_retain", "steps")
HARMS = ("lost", "changed", "broken", "silent", "endless")


def line(found: dict) -> list:
    """The cells of one run, in the order of COLUMNS; empty where nothing was measured."""
    method, adapter, rate, seed = found["cell"]
    cells = {"method": method, "adapter": adapter, "rate": rate, "seed": seed}
    cells |= ordinary(found.get("ordinary"))
    cells |= {name: found.get(name) for name in ("cpu_seconds", "peak_mib", "exit_code")}
    if "scores" in found:
        cells |= scored(found["scores"], method if method in BASELINES else "unlearned")
    return [shorter(cells.get(name)) for name in COLUMNS]


def scored(scores: dict, model: str) -> dict:
    """What a run's own scores say of its model, or of the original or the retrained one."""
    groups = scores["models"][model]
    near = scores["comparisons"].get(f"{model}_vs_retrained", {})
    harm = scores["harm"].get(model, {}).get("retain", {})
    facts = scores["facts"] if model == "unlearned" else {}
    return {
        **{name: near.get(part, {}).get(of) for name, (part, of) in NEAR.items()},
        "forget_p": groups["forget"]["probability"]["value"],
        "still_given": scores["given"][model]["count"],
        "extraction": groups["forget"]["extraction_strength"]["value"],
        "auc": groups["forget"]["membership_auc_loss"]["value"],
        "retain_p": groups["retain"]["probability"]["value"],
        "holdout_p": groups["holdout"]["probability"]["value"],
        "harmed_retain": len({name_of(x) for kind in HARMS for x in harm[kind]}) if harm else None,
        "fluency": groups["retain"]["fluency"]["value"],
        "steps": facts.get("steps"),
        "drawn_back_to": facts.get("drawn_back_to"),
    }


def name_of(harmed: str | list) -> str:
    """The id of an example that was harmed; some kinds say by how much beside it."""
    return harmed if isinstance(harmed, str) else harmed[0]


def ordinary(scores: dict | None) -> dict:
    """What nobody trained: the distance from the original, and the share of right answers."""
    if scores is None:
        return {}
    return {
        "ordinary_kl": scores["questions"]["divergence"]["value"],
        "texts_kl": scores["texts"]["divergence"]["value"],
        "ordinary_right": scores["questions"]["fact_recall"]["value"],
    }


def shorter(cell) -> str:
    return "" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def page(lines: list[list], case: dict) -> str:
    """The table, the nearest first."""
    rows = sorted((dict(zip(COLUMNS, x, strict=True)) for x in lines), key=nearness, reverse=True)
    table = [[label(row), *(shown(row, name) for name in SHOWN.values())] for row in rows]
    intro = INTRO.format(
        learned=case["original"]["rows"],
        forgotten=case["original"]["rows"] - case["retrained"]["rows"],
        kept=case["retrained"]["rows"],
    )
    return f"{intro}\n{markdown(['method', *SHOWN], table)}\n"


def nearness(row: dict) -> float:
    return float(row["closeness"] or (1 if row["method"] == "retrained" else 0))


def label(row: dict) -> str:
    """The method, and what of its defaults was changed."""
    changed = [
        "LoRA" if row["adapter"] == "lora" else "",
        f"rate x {row['rate']}" if float(row["rate"]) != 1 else "",
        f"seed {row['seed']}" if int(row["seed"]) else "",
    ]
    return ", ".join([row["method"], *filter(None, changed)])


def shown(row: dict, name: str) -> str:
    cell = row[name]
    if cell == "" or name in WHOLE:
        return cell or "-"
    if name == "cpu_seconds":
        return f"{float(cell) / 60:.0f}"
    if name == "peak_mib":
        return f"{float(cell) / 1024:.1f}"
    return number(float(cell))
