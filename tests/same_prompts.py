"""Texts of which several have the same prompt, and what two ways of scoring them say."""

from random import Random

import torch
from support import VOCABULARY

from unteach.types import Sequence

LONG = tuple(range(2, 32))
EOS = 1


def text(prompt, answer):
    return Sequence("", (*prompt, *answer), (False,) * len(prompt) + (True,) * len(answer))


def drawn(prompts, seed=0):
    """Texts of prompts so long, each with one to six answers; most end as TOFU's do."""
    random, made = Random(seed), []
    for length in prompts:
        prompt = random.choices(range(2, VOCABULARY), k=length)
        for _ in range(random.randint(1, 6)):
            answer = random.choices(range(2, VOCABULARY), k=random.randint(0, 9))
            made.append(text(prompt, [*answer, EOS]))
    return made


TEXTS = drawn([1, 1, 5, 8, 8, 13, 14])


def whole(answered):
    return torch.tensor([[*a] for one in answered for a in zip(*one[:5], strict=True)]).double()


def near(found, expected, **tolerance):
    torch.testing.assert_close(whole(found), whole(expected), **tolerance)
