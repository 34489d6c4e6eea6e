"""What the evaluation of TOFU's forget10 costs: one forward per text, beside metric by metric.

    python benchmarks/tofu_evaluation.py --tofu TOFU_FOLDER \\
        --out benchmarks/results/tofu-evaluation.csv

Texts are TOFU's, by the readers of the suite and a tokenizer of 16,384 tokens that is trained on
them; before each stand `--template` tokens in place of a chat template. Weights are random.

*forget* and *suite*: `answer_tokens` on the distinct texts, beside a forward for each metric that
is asked for (`separate_metrics.py`), of the forget answers and of all texts of the suite, `--limit`
forget examples and their share of the others (four times as many of the former). The three default
metrics are forget quality, model utility and privacy leakage, with extraction strength beside them:
a forget answer has three forwards (probability, min-k, extraction strength), each other text has
one. *all* has exact memorisation, min-k++ (two forwards), loss and zlib besides; *all and
reference* also the loss under a reference model, which is a forward of that on either side. The
file of holdout answers is not read, and gradient norms are not taken. CPU time of this process on
one thread, rounds of all ways in turn, medians; times_ours is the median of the rounds' ratios, and
difference the largest of any value, relative to it.

*prompts*: *ours*, where the prompts of paraphrases and wrong answers are read once, beside *whole*,
where no text shares one, and beside own answers read behind their prompts *too*. `ask` reads these
whole, in the batches that the original has them in. First the tokens that go through the backbone
for all of forget10, padding included: 1.65 times as many for whole texts. CPU time with
`--limit 8`: 1.24 times where most of it is the head's, 1.47 where most is the backbone's. The few
texts on which a model is asked both ways first are not in it.

*texts*: forwards of texts, counted over all of forget10. *steps*: forwards for answers to its
questions, 200 tokens at most: one sorted queue, beside 32 prompts of a dataset a batch until the
batch's last row ends; when no answer ends, and when each ends where TOFU's does but for 5%. Counted
on a small model that is made to end there. 76,800 tokens a batch are 256 rows of 300.
"""

import argparse
import os
import sys
from pathlib import Path
from random import Random

from evaluation import (
    ALLOCATOR,
    COLUMNS,
    counted,
    furthest,
    in_turn,
    llama,
    plain,
    row,
    table,
    write,
)  # fmt: skip

PARTS = ("texts", "forget", "suite", "prompts", "steps")
SUMS = (  # a name, and the ways that make it up: ours, and metric by metric
    ("three default metrics", ("ours",), ("default",)),
    ("all metrics", ("ours",), ("default", "more")),
    ("all and reference", ("ours", "ours, reference"), ("default", "more", "reference")),
)
SHAPES = ((8, 512, 128_256), (12, 768, 16_384))  # most of the time in the head, or below it
LONGEST = 200  # tokens of an answer of the model's own
GOING_ON = 0.05  # share of the answers that do not end
VOCABULARY = 300  # of the model that counts steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tofu", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=4, help="forget examples")
    parser.add_argument("--template", type=int, default=36, help="tokens in place of a template")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=128_256)
    parser.add_argument("--batch", type=int, default=8, help="texts of a forward, metric by metric")
    parser.add_argument("--prompts", type=int, help="of the steps; all unless given")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    args.shapes = SHAPES
    args.groups, args.tokenizer = data(args.tofu)
    made = {"texts": texts, "forget": forget, "suite": suite, "prompts": prompts, "steps": steps}
    rows = [r for part in ([args.only] if args.only else PARTS) for r in made[part](args)]
    print(table(rows))
    if args.out:
        write(rows, args.out, PARTS)


def data(folder):
    """The suite's groups, and a tokenizer of their texts."""
    from unteach.demo.train import train_tokenizer
    from unteach.suites import SUITES

    groups = SUITES.get("tofu").read(folder, {"retain_rows": "400"})
    groups.pop("holdout", None)
    written = [
        f"Question: {e.turns[0].text}\nAnswer: {answer}"
        for group in groups.values()
        for e in group.examples
        for answer in (e.answer, e.paraphrase, *e.perturbed)
        if answer
    ]
    return groups, train_tokenizer(written, vocabulary=16_384, context=1024)


def asked(args, limit=None):
    """The questions of the suite; with a limit, so many of the largest groups, fewer of others."""
    from dataclasses import replace

    from unteach.suites import AskSettings
    from unteach.suites.questions import questions

    groups = args.groups
    if limit:
        step = max(len(group.examples) for group in groups.values()) / limit
        groups = {
            name: replace(group, examples=group.examples[:: round(step)])
            for name, group in groups.items()
        }
    return questions(groups, args.tokenizer, AskSettings(max_length=1024, max_new_tokens=LONGEST))


def with_template(text, count):
    from unteach.types import Sequence

    return Sequence("", (2,) * count + text.ids, (False,) * count + text.answer)


def jobs(questions, template):
    """Which metric reads which texts: the default ones, what all add, and what reference adds."""
    import separate_metrics as m

    kinds = {}
    for question in questions:
        text = with_template(question.text, template)
        kinds.setdefault((question.group, question.row.kind), []).append(text)
    default, more, reference = [], [], []
    for (group, kind), found in kinds.items():
        own = kind == "answer"
        if group == "forget" and own:
            default += [(m.probability, found), (m.min_k, found), (m.extraction_strength, found)]
            added = (m.exact_memorisation, m.min_k_plus_plus, m.loss, m.compressed)
            more = [(metric, found) for metric in added]
            reference = [(m.loss, found)] * 2  # under the model, and under the reference model
        else:
            default.append((m.probability if own else m.truth_ratio, found))
    return {"default": default, "more": more, "reference": reference}


def one_by_one(model, work, batch):
    """A function that takes every metric for itself, texts as they come."""
    from separate_metrics import batch_of

    def run():
        found = []
        for metric, members in work:
            values = {}
            for start in range(0, len(members), batch):
                part = plain(metric, model, batch_of(members[start : start + batch]))()
                for name, some in part.items():
                    values[name] = values.get(name, []) + some
            found.append(values)
        return found

    return run


def texts(args):
    """Forwards of texts that either way would make on the whole of forget10."""
    questions = asked(args)
    distinct = len({q.text for q in questions})
    answers = sum(q.group == "forget" and q.own for q in questions)
    counts = {"ours": distinct, "ours, reference": answers}
    for name, work in jobs(questions, 0).items():
        counts[name] = sum(len(t) * (1 + (m.__name__ == "min_k_plus_plus")) for m, t in work)
    on = f"{len(questions)} texts, {distinct} distinct"
    rows = []
    for title, ours, theirs in SUMS:
        for who, names in ((f"ours, {title}", ours), (title, theirs)):
            count = sum(counts[name] for name in names)
            rows.append(count_row("texts", who, count, "", on))
    return rows


def count_row(part, way, forwards, steps, on):
    return dict(zip(COLUMNS, (part, way, forwards, steps, "", "", "", on), strict=True))


def forget(args):
    """The forget answers alone, on which most metrics are."""
    questions = [q for q in asked(args, 4 * args.limit) if q.group == "forget" and q.own]
    return compared("forget", questions, args)


def suite(args):
    return compared("suite", asked(args, args.limit), args)


def compared(part, questions, args):
    """One forward per distinct text beside metric by metric."""
    from separate_metrics import of_answers

    from unteach.inference import answer_tokens

    work = jobs(questions, args.template)
    whole = [with_template(q.text, args.template) for q in questions]
    again = [t for q, t in zip(questions, whole, strict=True) if q.group == "forget" and q.own]
    distinct = [*dict.fromkeys(whole)]
    model = llama(args.layers, args.hidden, args.vocabulary, 8)
    ways = {
        "ours": lambda: answer_tokens(model, distinct),
        "ours, reference": lambda: answer_tokens(model, again),  # another model of this size
        **{name: one_by_one(model, members, args.batch) for name, members in work.items()},
    }
    seconds, found = in_turn(ways, args.rounds)
    own = dict(zip(distinct, found["ours"], strict=True))
    far = {
        name: max(
            furthest(values, of_answers([own[text] for text in members]))
            for values, (_, members) in zip(found[name], work[name], strict=True)
        )
        for name in work
    }
    tokens = sum(len(text.ids) for text in whole) / len(whole)
    answer = sum(sum(text.answer) for text in whole) / len(whole)
    size = f"{args.layers} x {args.hidden}, V {args.vocabulary}"
    on = f"{size}, {len(whole)} texts of {tokens:.0f} tokens, {answer:.0f} answer"
    rows = []
    for title, ours, theirs in SUMS:
        base = [sum(times) for times in zip(*(seconds[name] for name in ours), strict=True)]
        times = [sum(times) for times in zip(*(seconds[name] for name in theirs), strict=True)]
        rows.append(row(part, f"ours, {title}", "", "", base, base, "", on))
        difference = max(far[name] for name in theirs)
        rows.append(row(part, title, "", "", times, base, difference, on))
    return rows


def prompts(args):
    """Texts read whole, beside wrong answers and paraphrases behind prompts that are read once."""
    own, others = own_and_others(asked(args), args.template)
    on = f"{len(own + others)} texts"
    ways = {
        "ours": (own, others),
        "own answers too": ((), own + others),
        "whole": (own + others, ()),
    }
    rows = [
        count_row("prompts", name, "", "", f"{on}, {tokens(*texts)} tokens")
        for name, texts in ways.items()
    ]
    own, others = own_and_others(asked(args, args.limit), args.template)
    return rows + [r for shape in args.shapes for r in read_once(shape, own, others, args.rounds)]


def own_and_others(questions, template):
    texts = {with_template(q.text, template): q.own for q in questions}
    return ([t for t, own in texts.items() if own is which] for which in (True, False))


def tokens(whole, once):
    """Tokens of the backbone, padding included; of some texts whole, of others with `Once`."""
    from types import SimpleNamespace

    from unteach.inference import batches_by_length
    from unteach.inference.prompts import prompt_length
    from unteach.inference.shared_prompts import SharedPromptReader

    cpu = SimpleNamespace(device=SimpleNamespace(type="cpu"))
    batches, grouped = SharedPromptReader().batches(cpu, list(once), 4096)
    parts = [(once, b, b[0] in grouped) for b in batches]
    parts += [(whole, b, False) for b in batches_by_length([len(t.ids) for t in whole], 4096)]
    count = 0
    for texts, members, together in parts:
        starts = [prompt_length(texts[i]) if together else 0 for i in members]
        prompts = {texts[i].ids[:n] for i, n in zip(members, starts, strict=True)}
        longest = max(len(texts[i].ids) - n for i, n in zip(members, starts, strict=True))
        count += len(prompts) * max(starts) + len(members) * longest
    return count


def read_once(shape, own, others, rounds):
    from unteach.inference import answer_tokens, reading_once

    layers, hidden, vocabulary = shape
    model = llama(layers, hidden, vocabulary, 8)
    once = reading_once(model, own + others)
    assert once is not None, "its cache cannot be copied"
    ways = {
        "ours": lambda: answer_tokens(model, own) + answer_tokens(model, others, once=once),
        "own answers too": lambda: answer_tokens(model, own + others, once=once),
        "whole": lambda: answer_tokens(model, own) + answer_tokens(model, others),
    }
    counts = (tokens(own, others), tokens((), own + others), tokens(own, ()) + tokens(others, ()))
    seconds, found = in_turn(ways, rounds)
    base = {"logps": logps(found["whole"])}
    size, rows = f"{layers} x {hidden}, V {vocabulary}, {len(own + others)} texts", []
    for (name, times), count in zip(seconds.items(), counts, strict=True):
        far = furthest({"logps": logps(found[name])}, base)
        on = f"{size}, {count} tokens"
        rows.append(row("prompts", name, "", "", times, seconds["ours"], far, on))
    return rows


def logps(answered):
    return [x for one in answered for x in one.logps]


def steps(args):
    """Forwards and rows of the queue beside batches of 32 of each dataset, as they come."""
    model = llama(1, 16, VOCABULARY, 2)
    model.register_forward_hook(count_down, with_kwargs=True)
    drawn, questions = Random(0), [q for q in asked(args, args.prompts) if q.prompt]
    sizes = [sum(q.group == name for q in questions) for name in args.groups]
    tokens = [args.template + len(q.prompt.ids) for q in questions]
    lengths = [min(sum(q.text.answer), LONGEST - 1) for q in questions]
    some = [n if drawn.random() > GOING_ON else LONGEST for n in lengths]
    rows = []
    for name, last in (("none ends", [LONGEST] * len(some)), ("5% do not end", some)):
        prompts = [
            (VOCABULARY - 1,) * (n - 1) + (m + 1,) for n, m in zip(tokens, last, strict=True)
        ]
        ways = {f"ours, {n} tokens a batch": queue(model, prompts, n) for n in (8192, 76_800)}
        ways["32 of a dataset"] = in_batches(model, prompts, sizes)
        for way, run in ways.items():
            forwards, read = counted(model, run)
            on = f"{len(prompts)} prompts, {LONGEST} tokens at most, {name}"
            rows.append(count_row("steps", way, forwards, read, on))
    return rows


def count_down(model, args, given, out):
    """Makes a model say the number before the last token; 0 ends, and no length is known ahead."""
    import torch

    said = (given["input_ids"][:, -1:] - 1).clamp(min=0)
    out.logits = torch.nn.functional.one_hot(said, VOCABULARY).float()
    return out


def queue(model, prompts, tokens):
    from unteach.inference import greedy

    limits = [LONGEST] * len(prompts)
    return lambda: greedy(model, prompts, limits=limits, end=[0], tokens_per_batch=tokens)


def in_batches(model, prompts, sizes):
    from evaluation import unsorted

    cuts = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    return lambda: unsorted(model, prompts, [LONGEST] * len(prompts), [0], cuts)


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    main()
