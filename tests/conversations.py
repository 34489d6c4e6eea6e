"""How tests of conversations ask: an example, a tokenizer with a template, what is supervised."""

import copy

from chat_families import FAMILIES

from unteach.data import encode, encode_all
from unteach.types import Example, Turn


def user(text):
    return Turn("user", text)


def said(text, *, supervised=True, **keys):
    return Turn("assistant", text, supervised=supervised, template_keys=keys)


def talk(*turns, tools=(), **more):
    more = {"id": "forget-0", "where": "forget.jsonl:1", "kind": "chat", **more}
    return Example(turns=turns, tools=tools, **more)


def templated(tokenizer, family, *, bos="<|begin|>"):
    made = copy.deepcopy(tokenizer)
    made.bos_token = bos
    made.chat_template = FAMILIES.get(family, family)
    return made


def supervised(example, tokenizer, **options) -> list[str]:
    (sequence,) = encode(example, tokenizer, max_length=900, **options)
    return supervised_runs(sequence, tokenizer)


def supervised_runs(sequence, tokenizer) -> list[str]:
    """Each run of answer tokens as text."""
    runs, run = [], []
    for token, answer in [*zip(sequence.ids, sequence.answer, strict=True), (0, False)]:
        if answer:
            run.append(token)
        elif run:
            runs.append(tokenizer.decode(run))
            run = []
    return runs


def told(examples, tokenizer, **options) -> list[str]:
    """Kind, place and words of all that is told."""
    examples = examples if isinstance(examples, list) else [examples]
    _, problems = encode_all(examples, tokenizer, max_length=900, **options)
    return [f"{p.kind} {p.where}: {p.what}" for p in problems]
