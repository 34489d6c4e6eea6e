"""What withstands attacks: methods of the demo's world with and without an option that should.

    python benchmarks/defences.py DEMO --out benchmarks/results/defences.md

DEMO is a folder to make, or one that `benchmarks/attacks.py` or this made before. What was attacked
before is not attacked again: of each run DEMO keeps `attacks-METHOD-OPTION.json`.
"""

import argparse
import json
from pathlib import Path

import attacks
from runs import markdown, publish

from unteach import pipeline
from unteach.checks.request import check
from unteach.demo import jobs

METHODS = ("unseen", "npo", "undial", "unilogit")
OPTIONS = {"none": {}, "forms": {"forms": 3}, "long": {"epochs": 80.0}, "sam": {"sam": 0.01}}
SAID = {"none": "-", "forms": "`train.forms=3`", "long": "`train.epochs=80` (control)",
        "sam": "`--sam 0.01`"}  # fmt: skip
LEFT_OUT = {  # of `unseen` attacks bring nothing back anyway; the control is of what forms helps
    ("unseen", "forms"), ("unseen", "long"), ("unseen", "sam"), ("npo", "long"),
}  # fmt: skip
LIMIT = 50
QUICK = {
    "int4.groups": "0,32", "int4.nf4": "0", "int4.control_bits": "0", "sample.answers": "16",
    "sample.best": "1,4,16", "sample.temperatures": "1.0", "relearn.rates": "1",
    "relearn.steps": "8,32", "relearn.kinds": "lora", "prompt.turns": "0",
}  # fmt: skip
ATTACKS = ("int4", "relearn", "sample", "prompt")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--options", default=",".join(OPTIONS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/defences.md"))
    args = parser.parse_args()
    attacks.make(args.demo, args.preset)
    asked = [(m, o) for m in args.methods.split(",") for o in args.options.split(",")]
    pairs = [pair for pair in asked if pair not in LEFT_OUT]
    for method, option in pairs:
        name = named(method, option)
        if not (args.demo / f"attacks-{name}.json").exists():
            unlearn(args.demo, method, option)
            attacks.attacked(args.demo, name, limit=LIMIT, options=QUICK, attacks=ATTACKS)
    found = {(m, o): result_of(args.demo, m, o) for m, o in pairs}
    publish(args.out, page(args.preset, found))


def named(method, option):
    return method if option == "none" else f"{method}-{option}"


def unlearn(folder, method, option):
    """As the demo does it, with the option on top of the demo's settings."""
    out = named(method, option)
    if (folder / out).exists():
        return
    asked = jobs.request(folder, method, out, 0)
    train = asked.train.model_copy(update=OPTIONS[option])
    intake = check(asked.model_copy(update={"train": train}))
    (folder / out).mkdir()
    pipeline.remove(intake, folder / out, jobs.JobProgress(lambda *_: None))


def result_of(folder, method, option):
    return json.loads((folder / f"attacks-{named(method, option)}.json").read_text("utf-8"))


def worst(result, attack):
    """The line of which most is surely back, as `unteach attack` chooses it."""
    lines = [line for line in result["lines"] if line["attack"] == attack and line["counts"]
             and line["recovery"]["value"] is not None]  # fmt: skip
    return max(lines, key=lambda line: surely(line["recovery"]), default=None)


def surely(score):
    return min(score.get("low", -100.0), score["value"]), score["value"]


def told(score):
    ends = [score.get(name) for name in ("low", "high")]
    said = "..." if None in ends else f"{ends[0]:.0%} to {ends[1]:.0%}"
    return f"{score['value']:.0%} ({said})"


def page(preset, found):
    header = ("method", "option", "no attack", *ATTACKS, "worst case", "closeness", "under attack",
              "utility")  # fmt: skip
    rows = []
    for (method, option), result in found.items():
        lines = {name: worst(result, name) for name in ("no attack", *ATTACKS)}
        most = max(filter(None, lines.values()), key=lambda line: surely(line["recovery"]))
        cells = [told(line["recovery"]) if line else "-" for line in lines.values()]
        close = result["closeness_under_attack"]["value"]
        plain = lines["no attack"] or {}
        rows.append([method, SAID[option], *cells, most["attack"], f"{plain['closeness']:.2f}",
                     f"{close:.2f}", f"{plain['retain_kept']['unlearned']:.0%}"])  # fmt: skip
    return "\n\n".join([
        "# What withstands attacks",
        f"By `benchmarks/defences.py`, demo world of seed 0, preset {preset}, {LIMIT} examples of "
        f"each group; options of the attacks `{json.dumps(QUICK)}`. Of each attack the recovery of "
        "its worst variant, by facts given, with its 95% interval over examples; each number is "
        "of one run. `train.forms=3` forgets and retains each question in three further wordings "
        "too, none of them one that `prompt` asks in; `train.epochs=80` has as many steps without "
        "them (the demo has 20 epochs); `--sam 0.01` takes the forget gradient at "
        "the worst point within that radius. `closeness` to the retrained model is without "
        "attack and under the worst one; `utility` is without attack.",
        markdown(header, rows),
    ]) + "\n"  # fmt: skip


if __name__ == "__main__":
    main()
