"""Ten requests one after the other: do earlier removals hold, with and without replay?

    python benchmarks/sequential.py WORK --out benchmarks/results/sequential.md

WORK is a folder to make. What it holds is not measured again, so a run that was cut off goes on;
each step is one `unteach run` of one person on the model that the step before left. `--orders 1`
measures the first order only, `--requests 5` the first five of each.
"""

import argparse
import csv
import json
import os
import random
import time
from dataclasses import asdict, replace
from pathlib import Path

from runs import markdown, publish
from sequential_page import page

from unteach import pipeline
from unteach.checks.request import check
from unteach.demo.settings import PRESETS, settings
from unteach.demo.train import train_model, train_tokenizer
from unteach.demo.world import make_world
from unteach.files import write_sealed, write_text
from unteach.files.rows import read_rows, write_rows
from unteach.metrics import compare
from unteach.metrics.earlier import judge
from unteach.metrics.rows import probability
from unteach.progress import NoProgress
from unteach.settings.request import Request

METHODS = ("unseen", "undial", "npo", "unilogit")
PEOPLE, ORDERS, SEED = 10, 3, 0
BESIDE = (1, 5, 10)  # requests after which a model is retrained without all of them
PRESET = replace(PRESETS["tiny"], forget=PEOPLE, holdout=8)
RETAINED = 80  # retain answers that are asked
FIELDS = (
    "method", "replay", "order", "requests", "known", "worst_given", "mean_given", "worst_p",
    "mean_p", "band", "own_p", "back", "retain_kept", "closeness", "seconds",
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--requests", type=int, default=PEOPLE, help="of each order, the first")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sequential.md"))
    args = parser.parse_args()
    os.environ["UNTEACH_CACHE"] = "off"
    world(args.work)
    methods = args.methods.split(",")
    for method in methods:
        at_once(args.work, method)
    for order in range(args.orders):
        for method in methods:
            for replay in (False, True):
                chain(args.work, method, order, args.requests, replay=replay)
                write(args.work, args.out)
    write(args.work, args.out)


def world(work):
    """Files of each person, a tokenizer, the original, and models that never saw the first k."""
    data = work / "data"
    if not (data / "holdout.jsonl").exists():
        data.mkdir(parents=True)
        made = asdict(make_world(SEED, **PRESET.people))
        size = len(made["forget"]) // PEOPLE
        for k in range(PEOPLE):
            made[f"person-{k}"] = made["forget"][k * size : (k + 1) * size]
        for name, rows in made.items():
            (data / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    known = [f"person-{k}" for k in range(PEOPLE)]
    learn(work, "original", known)
    for count in BESIDE:
        gone = {f"person-{k}" for k in ordered(0)[:count]}
        learn(work, f"retrained-{count}", [name for name in known if name not in gone])


def ordered(order):
    """The people in the order in which they ask; the first order is that of the file."""
    everyone = list(range(PEOPLE))
    random.Random(order).shuffle(everyone)
    return everyone if order else list(range(PEOPLE))


def learn(work, name, people):
    from unteach.data import encode_all, read
    from unteach.models.loading import load_tokenizer

    folder, data = work / name, work / "data"
    if (folder / "model.safetensors").exists():
        return
    if not (work / "tokenizer").exists():
        files = ("forget", "retain", "holdout", "world")
        rows = [json.loads(x) for f in files for x in (data / f"{f}.jsonl").open()]
        texts = [f"Question: {r['question']}\nAnswer: {r['answer']}" for r in rows]
        made = train_tokenizer(texts, vocabulary=PRESET.vocabulary)
        made.save_pretrained(work / "tokenizer")
    tokenizer = load_tokenizer(str(work / "tokenizer"))
    sequences = []
    for group in (*people, "retain", "world"):
        examples, _ = read(str(data / f"{group}.jsonl"), group)
        sequences += encode_all(examples, tokenizer, max_length=128)[0]
    model = train_model(sequences, vocabulary=len(tokenizer), seed=SEED, preset=PRESET)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def request(work, model, forget, out, method, *, replay):
    found = settings(method)
    found["train"] |= {"seed": SEED, "replay": replay}
    roles = {role: str(work / "data" / f"{role}.jsonl") for role in ("retain", "holdout")}
    return Request.model_validate({
        "model": str(model), "forget": str(work / "data" / f"{forget}.jsonl"), "out": str(out),
        "device": "cpu", "train_anyway": True, **roles, **found,
    })  # fmt: skip


def at_once(work, method):
    out = work / f"{method}-at-once"
    if not (out / "scores.json").exists():
        step(work, work / "original", "forget", out, method, ordered(0), replay=False, order=0)


def chain(work, method, order, requests, *, replay):
    """Requests in one order, each on the model that the one before left."""
    model = work / "original"
    asked = ordered(order)
    for count in range(1, requests + 1):
        held = replay and count > 1  # at the first there is nothing to hold
        out = work / f"{method}-{order}{'-replay' * held}-{count}"
        if not (out / "scores.json").exists():
            step(work, model, f"person-{asked[count - 1]}", out, method, asked[:count],
                 replay=held, order=order)  # fmt: skip
        model = out


def step(work, model, forget, out, method, people, *, replay, order):
    began = time.monotonic()
    asked = request(work, model, forget, out, method, replay=replay)
    intake = check(asked)
    out.mkdir(exist_ok=True)
    facts = pipeline.remove(intake, out, NoProgress())
    rows = ask(work, out, people)
    own = rows.get(forget, [])  # nothing follows a run of all at once, so its rows are not read
    mine = [replace(row, id=row.id.replace(forget, "forget")) for row in own]
    write_rows(out / "rows" / "unlearned.jsonl", {"forget": mine})
    write_text(out / "request.yaml", intake.request.to_yaml())
    write_sealed(out / "run.json", {"facts": {**facts, "request_id": forget}})
    found = measured(work, rows, people, order, last=forget)
    seconds = round(time.monotonic() - began, 1)
    about = {"method": method, "replay": "yes" if replay else "no", "order": order}
    about |= {"requests": "all at once" if forget == "forget" else len(people)}
    (out / "scores.json").write_text(json.dumps({**about, **found, "seconds": seconds}))
    print(json.dumps({**about, **found, "seconds": seconds}), flush=True)


def ask(work, model, people):
    """Rows of all that asked so far, with what is said; of what stays and the holdout without."""
    from unteach.data import read
    from unteach.models.loading import load_model, load_tokenizer
    from unteach.suites import AskSettings, Group
    from unteach.suites.ask import score_groups
    from unteach.suites.own import sample

    data, groups = work / "data", {}
    for name in (*(f"person-{k}" for k in people), "retain", "holdout"):
        examples, _ = read(str(data / f"{name}.jsonl"), name)
        spoken = name.startswith("person")
        kept = examples if spoken else sample(examples, RETAINED)
        groups[name] = Group(examples=kept, generate=spoken or name == "holdout")
    how = AskSettings(max_length=128, template="auto", max_new_tokens=24, tokens_per_batch=8192)
    tokenizer = load_tokenizer(str(work / "tokenizer"))
    return score_groups(lambda: load_model(str(model)), tokenizer, groups, how).rows


def beside(work, name, people):
    """Rows of a model that does not change, for some people."""
    file = work / "rows" / f"{name}.jsonl"
    if not file.exists():
        write_rows(file, ask(work, work / name, range(PEOPLE)))
    rows, _ = read_rows(file)
    wanted = {f"person-{k}" for k in people} | {"retain", "holdout"}
    return {group: found for group, found in rows.items() if group in wanted}


def measured(work, rows, people, order, *, last):
    """How forgotten all so far are, whether any came back, what is kept, how close to retrained."""
    original = beside(work, "original", people)
    each = {
        k: judge(rows, group=f"person-{k}", original=original, persons=persons(rows, k))
        for k in people
    }
    given = {k: len(found.given) / found.asked for k, found in each.items()}
    likely = {k: found.probability for k, found in each.items()}
    before = [k for k in people if f"person-{k}" != last]
    found = {
        "known": sum(one.found for one in each.values()),
        "worst_given": max(given.values()), "mean_given": mean(given.values()),
        "worst_p": max(likely.values()), "mean_p": mean(likely.values()),
        "band": max(one.top for one in each.values()),
        "own_p": likely[people[-1]],
        "back": sum(each[k].found for k in before),
        "retain_kept": mean(map(probability, rows["retain"]))
        / mean(map(probability, original["retain"])),
    }  # fmt: skip
    if len(people) == PEOPLE or (order == 0 and len(people) in BESIDE):
        never = beside(work, f"retrained-{len(people)}", people)
        three = [together(groups, people) for groups in (rows, never, original)]
        found["closeness"] = compare(three[0], three[1], original=three[2])["closeness"].value
    return {name: round(x, 4) if isinstance(x, float) else x for name, x in found.items()}


def persons(rows, k):
    """Whom each record is about: all of a request are about one person."""
    asked = {row.id: str(k) for row in rows[f"person-{k}"]}
    size = len(asked)  # everyone has as many questions, one after the other
    return {
        "forget": asked,
        "holdout": {r.id: str(int(r.id.rpartition("-")[2]) // size) for r in rows["holdout"]},
    }


def together(rows, people):
    every = [replace(r, id=f"{k}-{r.id}") for k in people for r in rows[f"person-{k}"]]
    return {"forget": every, "retain": rows["retain"], "holdout": rows["holdout"]}


def mean(values):
    found = [x for x in values if x is not None]
    return sum(found) / len(found)


def write(work, out):
    """The page, and all numbers beside it."""
    lines = [json.loads(f.read_text()) for f in sorted(work.glob("*/scores.json"))]
    lines.sort(key=lambda x: (x["method"], x["order"], x["replay"], str(x["requests"]).zfill(12)))
    with out.with_suffix(".csv").open("w", newline="") as file:
        made = csv.DictWriter(file, FIELDS, lineterminator="\n")
        made.writeheader()
        made.writerows([{name: line.get(name, "") for name in FIELDS} for line in lines])
    never = {}
    for count in BESIDE:
        people = ordered(0)[:count]
        rows = beside(work, f"retrained-{count}", people)
        never[count] = measured(work, rows, people, 0, last="")
    publish(out, page(lines, never, markdown))


if __name__ == "__main__":
    main()
