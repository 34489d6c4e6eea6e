"""What withstands attacks: each method with its defaults, and with options that should help.

    python benchmarks/defences.py --work FOLDER                       # demo worlds 5, 6, 7
    python benchmarks/defences.py --work FOLDER --places world-5 --methods undial --options forms
    python examples/smollm2.py FOLDER/tofu --model STORIES3M --tofu TOFU_FOLDER \\
        --forget 3 --retain 3 --rate 1e-3 --epochs 40 --known 0.93
    python benchmarks/defences.py --work FOLDER --places tofu --methods unseen undial npo

Each run is `unteach run` with nothing set but the files and what its line names; then come the
attacks of `benchmarks/attacks.py`. What is done is kept in the work folder: the same command goes
on where it was cut off, and the table has all that is there. It goes to
benchmarks/results/defences.md, and the single runs to defences.csv.
"""

import argparse
import csv
import json
import shutil
from itertools import product
from pathlib import Path
from statistics import fmean

import attacks
from runs import markdown, publish, read, write

from unteach import pipeline
from unteach.checks.request import check
from unteach.progress import NoProgress
from unteach.settings.request import load

RESULTS = Path(__file__).resolve().parent / "results"
PRESET = "tiny"
PLACES = ("world-5", "world-6", "world-7")
METHODS = ("unseen", "undial", "unilogit", "loku", "dto", "npo", "rmu")
LONG = 4  # times the epochs, as the further wordings have
OPTIONS = {
    "none": [],
    "forms": ["train.forms=3"],
    "long": [],
    "sam": ["train.sam=0.01"],
    "adapters": ["adapter.kind=lora"],
    "lighter": ["train.retain_weight=1", "method.steering=20"],
}
SAID = {name: "".join(f"`{x}` " for x in sets).strip() or "-" for name, sets in OPTIONS.items()}
SAID["long"] = f"{LONG} times the epochs"
CASES = ("int4", "relearn", "sample")  # the attacks on a case
FEWER = {  # for a case whose model is larger
    **{k: v for k, v in attacks.QUICK.items() if not k.startswith("prompt")},
    "int4.groups": "32", "sample.answers": "8", "sample.best": "1,8", "sample.temperatures": "1.0",
    "relearn.kinds": "lora", "relearn.arms": "part,other",
}  # fmt: skip
TOFU = (
    "stories3M (3.1M parameters) learned three of TOFU's authors to forget and three to keep, 12 "
    "records each, by `examples/smollm2.py`; a retrained model the latter alone. "
)
COLUMNS = ("place", "method", "option", "seed", "attack", "variant", "recovery", "low", "high",
           "utility", "closeness", "under_attack", "steps", "drawn_back_to")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="for worlds, models and results")
    parser.add_argument("--places", nargs="+", default=PLACES, help="world-SEED, or a case's name")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--options", nargs="+", default=["none"], choices=OPTIONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    for job in product(args.places, args.methods, args.options, args.seeds):
        once(args.work, *job)
        report(args.work)


def once(work, place, method, option, seed):
    """One run, and what the attacks bring back of it; kept where it was made before."""
    folder = work / place
    name = f"{method}-{option}-{seed}"
    file = folder / "results" / f"{name}.json"
    if file.exists():
        return
    if place.startswith("world-"):
        names = attacks.TRAINED[:2]
        attacks.make(folder, PRESET, int(place.removeprefix("world-")), names)
    out = folder / name
    if not (out / "facts.json").exists():
        shutil.rmtree(out, ignore_errors=True)
        intake = check(request(folder, method, option, seed, out))
        out.mkdir()
        facts = pipeline.remove(intake, out, NoProgress())
        told = {x: facts.get(x) for x in ("steps", "drawn_back_to", "stopped_because")}
        write(out / "facts.json", told)
    print(place, name, attacked(folder, name).headline, flush=True)
    kept = folder / f"attacks-{name}.json"
    write(file, {**read(kept), "run": read(out / "facts.json")})
    kept.unlink()


def attacked(folder, name):
    """The attacks on the demo's model, or fewer on a case's."""
    if folder.name.startswith("world-"):
        return attacks.attacked(folder, name)
    return attacks.attacked(folder, name, options=FEWER, attacks=CASES, tokens=48)


def request(folder, method, option, seed, out):
    """The request of `unteach run` with the files alone, and what the option sets."""
    roles = ("forget", "retain", "holdout")
    files = {role: str(attacks.data_of(folder) / f"{role}.jsonl") for role in roles}
    flags = {"model": str(folder / "original"), "method": method, "out": str(out), "device": "cpu"}
    sets = [f"train.seed={seed}", *OPTIONS[option]]
    if option == "long":
        usual = check(load(flags={**flags, **files}, sets=sets)).request.train.epochs
        sets.append(f"train.epochs={LONG * usual:g}")
    return load(flags={**flags, **files}, sets=sets)


def worst(result, attack):
    """The line of which most is surely back, as `unteach attack` chooses it."""
    lines = [line for line in result["lines"] if line["attack"] == attack and line["counts"]
             and line["recovery"]["value"] is not None]  # fmt: skip
    return max(lines, key=lambda line: surely(line["recovery"]), default=None)


def surely(score):
    return min(score.get("low", -100.0), score["value"]), score["value"]


def of_attacks(result):
    """The worst line of each attack, and of none."""
    found = {name: worst(result, name) for name in ("no attack", *attacks.ATTACKS)}
    return {name: line for name, line in found.items() if line}


def report(work):
    """The table and the list of all that is done, also by earlier commands."""
    found = {}
    for file in sorted(work.glob("*/results/*.json")):
        method, option, seed = file.stem.rsplit("-", 2)
        found[file.parents[1].name, method, option, int(seed)] = read(file)
    if not found:
        return
    with (RESULTS / "defences.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for key, result in found.items():
            writer.writerows([*key, *cells] for cells in listed(result))
    publish(RESULTS / "defences.md", page(found))


def listed(result):
    """A row of the list for each attack."""
    facts, under = result["run"], result["closeness_under_attack"]["value"]
    for attack, line in of_attacks(result).items():
        score = line["recovery"]
        numbers = [score["value"], score.get("low"), score.get("high"),
                   line["retain_kept"]["unlearned"], line["closeness"], under]  # fmt: skip
        yield [attack, line["variant"], *("" if x is None else f"{x:.4g}" for x in numbers),
               facts["steps"], shorter(facts["drawn_back_to"])]  # fmt: skip


def shorter(x):
    return f"{x:.4g}" if isinstance(x, float) else "" if x is None else x


def page(found):
    parts = [
        "# What withstands attacks",
        "By `benchmarks/defences.py`. Each run is `unteach run` with a retain and a holdout file, "
        "nothing else set but the option; single runs with their intervals are in "
        f"`defences.csv`. Attacks ask {attacks.LIMIT} examples of each group at most, of the "
        "holdout the half that set no level. Of each attack the "
        "recovery of its worst variant, by the lower end of its interval, as `unteach attack` has "
        "it; a mean over the runs, with the lowest and the highest behind it. *Closeness* to the "
        "retrained model, without attack and under the one that shows most, is a mean; *utility*, "
        "without attack, the lowest.",
    ]
    for title, own, told in ((f"Demo worlds (preset {PRESET})", True, ""), ("TOFU", False, TOFU)):
        chosen = {k: v for k, v in found.items() if k[0].startswith("world-") == own}
        if chosen:
            used = json.dumps(attacks.QUICK if own else FEWER)
            said = (
                f"{held(chosen)} Recovery is by {metric(chosen)}. Options of the attacks: `{used}`."
            )
            parts += [f"## {title}", f"{told}{said}", table(chosen)]
    return "\n\n".join(parts) + "\n"


def held(found):
    """What the originals keep in 4 bits; below 95% the attack would prove nothing."""
    kept = [line["retain_kept"]["original"] for result in found.values()
            for line in result["lines"] if line["attack"] == "int4"]  # fmt: skip
    return f"In 4 bits the originals keep {min(kept):.0%} of their retain score or more."


def metric(found):
    from unteach.attacks._judge import NAMES

    return " and ".join(sorted({NAMES[r["lines"][0]["main"]] for r in found.values()}))


def table(found):
    header = ("method", "option", "runs", "no attack", *attacks.ATTACKS, "closeness",
              "under attack", "utility", "steps")  # fmt: skip
    groups = {}
    for (_, method, option, _), result in found.items():
        groups.setdefault((method, option), []).append(result)
    order = sorted(groups, key=lambda key: (METHODS.index(key[0]), [*OPTIONS].index(key[1])))
    return markdown(header, [row(*key, groups[key]) for key in order])


def row(method, option, results):
    lines = [of_attacks(result) for result in results]
    cells = [spread([of[name]["recovery"]["value"] for of in lines if name in of])
             for name in ("no attack", *attacks.ATTACKS)]  # fmt: skip
    near = fmean(of["no attack"]["closeness"] for of in lines)
    under = fmean(result["closeness_under_attack"]["value"] for result in results)
    kept = min(of["no attack"]["retain_kept"]["unlearned"] for of in lines)
    steps = sorted({result["run"]["steps"] for result in results})
    said = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    return [method, SAID[option], str(len(results)), *cells, f"{near:.2f}", f"{under:.2f}",
            f"{kept:.0%}", said]  # fmt: skip


def spread(values):
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.0%}"
    return f"{fmean(values):.0%} ({min(values):.0%} to {max(values):.0%})"


if __name__ == "__main__":
    main()
