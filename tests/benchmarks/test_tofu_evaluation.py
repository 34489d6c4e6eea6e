"""Metric by metric and one forward per text have the same values on TOFU's texts."""

from argparse import Namespace

import pytest
from tofu_evaluation import (
    asked,
    data,
    jobs,
    llama,
    own_and_others,
    prompts,
    steps,
    suite,
    texts,
    tokens,
)

from unteach.inference import answer_tokens, reading_once
from unteach.inference.loaded import counted


@pytest.fixture(scope="module")
def small(shared_data):
    groups, tokenizer = data(shared_data / "tofu")
    return Namespace(
        groups=groups, tokenizer=tokenizer, rounds=1, limit=1, template=3, layers=1, hidden=16,
        vocabulary=16_500, batch=3, prompts=2,
        shapes=((1, 16, 16_500),),
    )  # fmt: skip


def test_every_way_has_the_same_values(small):
    differences = [float(row["difference"]) for row in suite(small) if row["difference"]]
    assert len(differences) == 3
    # E[x^2] - E[x]^2 in float32 costs min-k++ two digits
    assert max(differences) < 1e-3
    assert differences[0] < 1e-5


def test_a_forget_answer_is_read_once_for_each_metric(small):
    """One example of each group: 7 texts of forget and retain, 4 of authors and facts are 22."""
    work = jobs(asked(small, 1), 0)
    assert {name: sum(len(found) for _, found in members) for name, members in work.items()} == {
        "default": 22 + 2, "more": 4, "reference": 2
    }  # fmt: skip


@pytest.mark.slow
def test_prompts_read_once_are_fewer_tokens_and_the_same_values(small):
    rows = prompts(small)
    ours, both, whole = (int(row["on"].split()[-2]) for row in rows[:3])
    assert both < ours < whole
    assert max(float(row["difference"]) for row in rows[3:]) < 1e-4


def test_tokens_are_those_that_go_through_the_model(small):
    own, others = own_and_others(asked(small, 3), 3)
    model = llama(1, 16, 16_500, 2)
    once = reading_once(model, others)
    with counted(model) as through:
        answer_tokens(model, own)
        answer_tokens(model, others, once=once)
    assert (through.tokens, once.prompts > 0) == (tokens(own, others), True)


@pytest.mark.slow
def test_forwards_of_the_whole_suite(small):
    """400 x (3 + 6) + 400 x 7 + 217 x 4 = 7268; 400 x 5 more with all, 400 x 2 with reference."""
    counts = [row["forwards"] for row in texts(small)]
    assert counts == [6468, 7268, 6468, 9268, 6868, 10_068]


def test_one_queue_has_fewer_steps_than_dataset_after_dataset(small):
    """2 + 2 + 1 + 1 prompts, 200 tokens each: one batch of all, or one for each of the datasets."""
    rows = steps(small)
    assert [row["forwards"] for row in rows[:3]] == [200, 200, 800]
    assert [row["row_steps"] for row in rows[:3]] == [6 * 199] * 3
