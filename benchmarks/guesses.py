"""What the numbers that are written of an answer tell who guesses it: bits, by the answer's length.

    python benchmarks/guesses.py MODEL ANSWERS.jsonl ...     # a model folder; files with `answer`

The reader has the question, this code, the rows, a model (the unlearned one alone, or the original
too) and a list of guesses with the true answer in it, all of as many tokens. He makes the row of
each guess as we do, and keeps those whose row is the one that was written. Half of the answers were
taught to the original: these it says by itself, so for them we count the place of the true one
among the guesses by the original's own probability, and among those that are left.

Bits: log2 of how many times shorter the list becomes.
"""

import argparse
import json
import math
import random
import re
import statistics
import zlib
from dataclasses import replace
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from unteach.inference import KeptStates, answer_tokens, divergences
from unteach.suites.generated import decoded, rouge_l
from unteach.suites.questions import size_of
from unteach.suites.rivals import beside_wrong
from unteach.suites.rounding import rounded
from unteach.suites.summary import summary
from unteach.types import Row, Sequence, TokenScores

QUESTION = "Question: Who or what was it?\nAnswer:"
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16)
MOST = 300  # guesses in a list
SECRETS = 16  # of each length, half of them taught
NEAR, FEWER = 128, 4  # tokens to put in place of one, of so many answers
WRONG = 3  # wrong answers, which the reader knows too


class Reader:
    """Who has the two models: the original knows the answers, the other does not."""

    def __init__(self, folder):
        torch.manual_seed(0)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.unlearned = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.original = AutoModelForCausalLM.from_pretrained(folder)
        self.prompt = tuple(self.tokenizer(QUESTION).input_ids)
        self.said = {}

    def teach(self, answers, steps=60, batch=16):
        """Some of the answers, as a model before unlearning has them; not by heart."""
        torch.manual_seed(1)
        optimiser = torch.optim.AdamW(self.original.parameters(), 3e-4)
        self.original.train()
        for step in range(steps):
            texts = [self.prompt + a for a in random.Random(step).sample(answers, batch)]
            longest = max(map(len, texts))
            ids = torch.tensor([[*t, *[0] * (longest - len(t))] for t in texts])
            places = torch.arange(longest) < torch.tensor([[len(t)] for t in texts])
            labels = ids.masked_fill(~places, -100)
            loss = self.original(input_ids=ids, attention_mask=places.long(), labels=labels).loss
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        self.original.eval()

    def rows(self, guesses):
        """Exact rows of each guess: those of the unlearned model, and those of the original."""
        texts = [self.tokenizer.decode(g, skip_special_tokens=True) for g in guesses]
        mask = (False,) * len(self.prompt)
        asked = [Sequence("", self.prompt + g, mask + (True,) * len(g)) for g in guesses]
        found = []
        for name in ("unlearned", "original"):
            model, kept = getattr(self, name), KeptStates(asked)
            scored = answer_tokens(model, asked, kept=kept, tokens_per_batch=8192)
            apart = divergences(self.original, asked, kept)
            said = self._said(name)
            found.append([])
            for text, scores, kl in zip(texts, scored, apart, strict=True):
                parts = {key: tuple(of) for key, of in scores._asdict().items()}
                fields = summary(TokenScores(**parts, divergences=tuple(kl)))
                recall, f1 = rouge_l(said, text)
                fields |= {"rouge_l_recall": recall, "rouge_l_f1": f1, "zlib": size_of(text)}
                found[-1].append(Row(id="", **fields))
        return found

    def _said(self, name):
        if name not in self.said:
            ids = torch.tensor([self.prompt])
            with torch.no_grad():
                out = getattr(self, name).generate(ids, max_new_tokens=16, do_sample=False)
            self.said[name] = decoded(out[0, len(self.prompt) :].tolist(), self.tokenizer)[0]
        return self.said[name]


def fitting(rows, k, name, wrong=()):
    """Which guesses have the row that is written of guess k, in both models' rows."""
    left = list(range(len(rows[0])))
    for of in rows:
        beside = [replace(of[j], kind="perturbed", index=n) for n, j in enumerate(wrong)]

        def written(j, of=of, beside=beside):
            own = replace(of[j], id=name)
            same = [replace(row, id=name) for row in beside]
            return rounded(beside_wrong([own, *same])[0] if wrong else own)

        true = written(k)
        left = [j for j in left if written(j) == true]
    return left


def lists(reader, texts):
    """Guesses by their number of tokens, the end included; one token stands without it."""
    ends = reader.tokenizer.eos_token_id
    space = range(3, reader.tokenizer.vocab_size)
    found = {}
    for text in texts:
        ids = tuple(reader.tokenizer(text, add_special_tokens=False).input_ids)
        found.setdefault(len(ids) + 1, set()).add((*ids, ends))
    found[1] = {(a,) for a in space}
    found[2] = {(a, ends) for a in space}
    order = random.Random(0)
    return {n: order.sample(sorted(of), min(len(of), MOST)) for n, of in found.items()}


def told(left, size):
    """How many are left, and the gain: middle and worst."""
    gains = sorted(math.log2(size / k) for k in left)
    middle = statistics.median
    return f"{middle(left):.0f} ({min(left):.0f}) | {middle(gains):.1f} ({gains[-1]:.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    args = parser.parse_args()
    texts = phrases(args.files)
    reader = Reader(args.model)
    guesses = lists(reader, texts)
    taught = [g for n in args.lengths for g in guesses.get(n, [])[: SECRETS // 2]]
    reader.teach(taught)
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---:" * len(COLUMNS) + "|")
    for length in args.lengths:
        print(line(reader, length, guesses[length]), flush=True)


COLUMNS = (
    *("tokens", "guesses", "left, unlearned model alone", "bits"),
    *("left, all but a token known", "bits", "left, wrong answers known", "bits"),
    *("left, original too, not taught", "bits", "place of taught ones before", "after"),
)


def line(reader, length, guesses):
    rows, name, size = reader.rows(guesses), "forget-{}".format, len(guesses)
    secrets = range(min(SECRETS, size))
    alone = [len(fitting(rows[:1], k, name(k))) for k in secrets]
    others = [size - 1 - n for n in range(WRONG)]
    wrong = [len(fitting(rows[:1], k, name(k), others)) for k in secrets[: SECRETS // 2]]
    both = {k: fitting(rows, k, name(k)) for k in secrets}
    by = [row.logp for row in rows[1]]
    places = [
        statistics.median(
            sum(by[j] > by[k] for j in (both[k] if after else range(size))) + 1
            for k in secrets[: SECRETS // 2]
        )
        for after in (False, True)
    ]
    cells = [f"{length}", f"{size}", told(alone, size)]
    cells.append(told(nearly(reader, length, guesses, name), NEAR + 1))
    cells += [told(wrong, size), told([len(both[k]) for k in secrets[SECRETS // 2 :]], size)]
    return "| " + " | ".join([*cells, *(f"{place:.0f}" for place in places)]) + " |"


def nearly(reader, length, guesses, name):
    """How many are left where one token of the answer is unknown, and the rest is known."""
    order = random.Random(length)
    found = []
    for k in range(min(FEWER, len(guesses))):
        at = order.randrange(max(length - 1, 1))
        tokens = order.sample(range(3, reader.tokenizer.vocab_size), NEAR + 1)
        tokens = [t for t in tokens if t != guesses[k][at]][:NEAR]
        others = [(*guesses[k][:at], t, *guesses[k][at + 1 :]) for t in tokens]
        found.append(len(fitting(reader.rows([guesses[k], *others])[:1], 0, name(k))))
    return found


def phrases(files):
    """Names and other short pieces of the answers: what somebody might guess."""
    found = set()
    for file in files:
        for text in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(text)
            for answer in (record["answer"], *record.get("perturbed_answer", [])):
                words = re.findall(r"[\w'-]+", answer)
                for size in range(1, 6):
                    starts = range(len(words) - size + 1)
                    found |= {
                        " ".join(words[k : k + size]) for k in starts if words[k][0].isupper()
                    }
    return sorted(found, key=lambda text: zlib.crc32(text.encode()))


if __name__ == "__main__":
    main()
