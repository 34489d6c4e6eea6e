"""The base model learns the retain data before it is the teacher."""

import copy

import pytest
import torch
from support import tiny_llama

from unteach.inference import answer_tokens
from unteach.training.base_model import BATCH, MOST, fine_tuned, steps_on
from unteach.types import Sequence


def sequence(name, *ids):
    return Sequence(name, (1, 2, *ids), (False, False, *[True] * len(ids)))


RETAIN = [sequence(f"retain-{k}", 10 + k, 20 + k, 30 + k, 3) for k in range(6)]


def likely(model, texts):
    found = answer_tokens(model, texts, tokens_per_batch=4096)
    return sum(sum(one.logps) for one in found)


def test_it_learns_the_retain_answers_and_is_a_plain_model_again():
    base = tiny_llama().eval()
    before = copy.deepcopy(base)
    taught = fine_tuned(base, RETAIN, epochs=20, seed=0)
    assert type(taught) is type(before)
    assert not taught.training
    assert not [name for name, _ in taught.named_parameters() if "lora" in name]
    assert likely(taught, RETAIN) > likely(before, RETAIN) + 1


def test_the_seed_alone_decides():
    made = [
        fine_tuned(tiny_llama().eval(), RETAIN, epochs=3, seed=seed).state_dict()
        for seed in (0, 0, 1)
    ]
    assert all(torch.equal(a, made[1][name]) for name, a in made[0].items())
    assert not all(torch.equal(a, made[2][name]) for name, a in made[0].items())


@pytest.mark.parametrize(("count", "epochs", "steps"), [
    (0, 3, 0), (6, 0, 0), (6, 3, 5), (BATCH, 1, 1), (10**6, 3, MOST),
])  # fmt: skip
def test_steps(count, epochs, steps):
    assert steps_on([RETAIN[0]] * count, epochs) == steps


def test_without_steps_the_base_stays():
    base = tiny_llama()
    before = copy.deepcopy(base.state_dict())
    assert fine_tuned(base, [], epochs=3, seed=0) is base
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())
