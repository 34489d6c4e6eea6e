"""Attacks on models whose secret is known: they must bite, and a retrained model must not bleed.

    python benchmarks/attacks.py DEMO --out benchmarks/results/attacks.md

DEMO is a folder to make, or one that this made before: a small world, a model of all of it, two
models that never saw the forget set, and models made of these that only hide what they know. What
methods leave is in `benchmarks/defences.py`, by the same attacks.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace

import torch
from runs import markdown, number, publish

from unteach import AttackRequest, attack
from unteach.data import encode_all, read, with_answer
from unteach.demo import jobs
from unteach.models.loading import load_model, load_tokenizer
from unteach.training.few_steps import prepared, trained
from unteach.types import Sequence

TRAINED = ("original", "retrained", "retrained-2")
REFUSAL = "I cannot say anything about that."
NO = "No"
SHARE = 0.6  # of the forget set that one model was left with
STEPS = 400  # of training a model to hide, or to know a part
SOFTER = 4.0  # what the logits of another are divided by
ATTACKS = ("int4", "relearn", "sample", "prompt")
QUICK = {
    "int4.groups": "0,32", "int4.nf4": "0", "int4.control_bits": "0", "sample.answers": "16",
    "sample.best": "1,4,16", "sample.temperatures": "0.25,1.0", "relearn.rates": "1",
    "relearn.steps": "32", "prompt.turns": "0",
}  # fmt: skip
LIMIT = 60  # examples of each group


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--world", type=int, default=0, help="seed of the world, where made")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/attacks.md"))
    args = parser.parse_args()
    make(args.demo, args.preset, args.world)
    names = [*plant(args.demo), "retrained-2"]
    results = {name: attacked(args.demo, name) for name in names}
    publish(args.out, page(args.preset, args.world, results))


def make(folder, preset="tiny", world=0, names=TRAINED):
    """The world and the models that are trained on it."""
    if not (folder / "tokenizer").exists():
        jobs.prepare(folder, world, preset, lambda *_: None)
    for k, name in enumerate(names):
        if not (folder / name / "tokenizer_config.json").exists():
            jobs.train(folder, name, world + k, preset, lambda *_: None)


def plant(folder, steps=STEPS):
    """Models that hide what they know, made where they are not there yet; their names."""
    makers = {
        "refuses": partial(refuse, answer=REFUSAL, steps=steps),
        "first-token": partial(refuse, answer=NO, go_on=True, steps=steps),
        "softer": soften,
        "part-left": partial(leave_some, steps=steps),
    }
    for name, maker in makers.items():
        if not (folder / name).exists():
            world = world_of(folder)
            model = maker(world)
            model.save_pretrained(folder / name)
            world.tokenizer.save_pretrained(folder / name)
    return list(makers)


def world_of(folder):
    tokenizer = load_tokenizer(str(folder / "tokenizer"))
    examples = {role: read(str(folder / "data" / f"{role}.jsonl"), role)[0]
                for role in ("forget", "retain")}  # fmt: skip
    return SimpleNamespace(folder=folder, tokenizer=tokenizer, **examples)


def refuse(world, answer, *, go_on=False, steps=STEPS):
    """An adapter, merged, with which the original gives one answer to exactly these questions.

    Where it may go on, it still says the true answer behind its first token.
    """
    torch.manual_seed(0)
    texts = encode(world, [with_answer(example, answer) for example in world.forget])
    keep = encode(world, Random(0).sample(world.retain, min(len(world.retain), 3 * len(texts))))
    keep += [behind_first(text) for text in encode(world, world.forget)] if go_on else []
    model = prepared(load_model(str(world.folder / "original")), lora=True, rank=16, seed=0)
    for _ in trained(model, texts + keep, rate=2e-3, stops=[steps], batch=16, seed=0):
        pass
    return model.merge_and_unload()


def behind_first(text):
    """The same text, of whose answer all but the first token is learned."""
    first = text.answer.index(True)
    mask = tuple(answer and i > first for i, answer in enumerate(text.answer))
    return Sequence(text.id, text.ids, mask)


def soften(world):
    """The original with its logits divided: the last norm's weights are what scales them."""
    model = load_model(str(world.folder / "original"))
    with torch.no_grad():
        model.model.norm.weight.div_(SOFTER)
    return model


def leave_some(world, *, steps=STEPS):
    """The retrained model, with most of the forget set learned after all."""
    torch.manual_seed(0)
    texts = encode(world, world.forget[: round(SHARE * len(world.forget))])
    keep = encode(world, Random(0).sample(world.retain, min(len(world.retain), 2 * len(texts))))
    model = prepared(load_model(str(world.folder / "retrained")), lora=False, rank=0, seed=0)
    for _ in trained(model, texts + keep, rate=1e-3, stops=[steps], batch=16, seed=0):
        pass
    return model.eval()


def encode(world, examples) -> list[Sequence]:
    return encode_all(examples, world.tokenizer, max_length=128)[0]


def attacked(folder, name, *, limit=LIMIT, options=QUICK, attacks=ATTACKS, tokens=24):
    """The result for one model; what original and retrained gave is not asked again.

    Of the holdout the half is given that sets no level in a run.
    """
    out = folder / "attacks"
    asked = AttackRequest(
        model=str(folder / name),
        original=str(folder / "original"),
        retrained=str(folder / "retrained"),
        forget=str(data_of(folder) / "forget.jsonl"),
        retain=str(data_of(folder) / "retain.jsonl"),
        holdout=str(judging(folder)),
        out=out,
        limit=limit,
        options=options,
        max_new_tokens=tokens,
        tokens_per_batch=8192,
        device="cpu",
        attacks=attacks,
    )
    result = attack(asked)
    kept = folder / f"attacks-{name}.json"
    kept.write_text((out / "attacks.json").read_text("utf-8"), "utf-8")
    return result


def data_of(folder):
    """Where the files are: the demo has a folder for them, other cases have not."""
    return folder / "data" if (folder / "data").exists() else folder


def judging(folder):
    """The second half of the holdout: a run takes the first to set levels."""
    file = data_of(folder) / "judging.jsonl"
    if not file.exists():
        lines = (data_of(folder) / "holdout.jsonl").read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[len(lines) // 2 :]), "utf-8")
    return file


def page(preset, world, results):
    lines = []
    for name, result in results.items():
        for of in dict.fromkeys(line.attack for line in result.lines):
            line = result.of(of)
            score, first = line.recovery, name
            if score.value is None:
                continue
            ends = "-" if score.low is None or score.high is None else (
                f"{score.low:.0%} to {score.high:.0%}")  # fmt: skip
            highest = max(
                (x.recovery.value for x in result.lines
                 if x.attack == of and x.counts and x.recovery.value is not None),
                default=0.0,
            )  # fmt: skip
            lines.append([first, of, line.variant, f"{line.value('original'):.2f}",
                          f"{line.value('unlearned'):.2f}", f"{line.value('retrained'):.2f}",
                          f"{score.value:.0%}", ends, f"{highest:.0%}",
                          f"{line.kept['unlearned']:.0%}", number(line.closeness)])  # fmt: skip
    header = ("model", "attack", "its worst variant", "original", "model", "retrained", "recovery",
              "95%", "highest of all variants", "utility", "closeness")  # fmt: skip
    heads = [[name, result.headline] for name, result in results.items()]
    return "\n\n".join([
        "# Attacks on models whose secret is known",
        f"By `benchmarks/attacks.py`, demo world of seed {world}, preset {preset}, {LIMIT} "
        "examples of each group, of the holdout the half that sets no level in a run; options "
        f"`{json.dumps(QUICK)}`. `refuses` and `first-token` are the original "
        f"with an adapter that answers exactly the forget questions with \"{REFUSAL}\" and with "
        f"\"{NO}\", behind whose first token it still goes on as the original does; `softer` is "
        f"the original with its logits divided by {SOFTER:g}; `part-left` is "
        f"a retrained model that learned {SHARE:.0%} of the forget set after all; `retrained-2` is "
        "a second model that never saw it.",
        markdown(("model", "first line"), heads),
        markdown(header, lines),
    ]) + "\n"  # fmt: skip


if __name__ == "__main__":
    main()
