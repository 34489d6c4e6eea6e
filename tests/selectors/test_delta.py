"""The delta-score of DTO (our reading of the paper, arXiv 2510.00125)."""

from random import Random
from typing import ClassVar

import pytest
import torch
from support import ANSWER, Copier, tiny_llama

from unteach.selectors import highest, selector_of
from unteach.selectors.delta import delta_scores, split_answer
from unteach.training.selection import ModelOracle
from unteach.types import Sequence


class Deaf(Copier):
    def nll(self, texts, start):
        return [2.5] * len(texts)


def test_the_token_that_the_suffix_copies_scores_highest():
    prefix, suffix = split_answer(ANSWER, 0.25)
    oracle = Copier(position=4, token=14)
    scores = delta_scores(ANSWER, prefix, oracle, Random(0), draws=3)
    assert highest(prefix, scores, 1) == {4}
    assert scores[prefix.index(4)] == pytest.approx(4.9)
    assert sum(scores) == pytest.approx(4.9)
    assert oracle.starts == {suffix[0]}


def test_a_model_that_ignores_context_gives_no_score():
    prefix, _ = split_answer(ANSWER, 0.25)
    assert delta_scores(ANSWER, prefix, Deaf(0, 0), Random(0), draws=2) == [0.0] * len(prefix)


def test_replacements_are_neither_special_nor_the_token_itself():
    class Sees(Copier):
        seen: ClassVar[list] = []

        def nll(self, texts, start):
            self.seen += texts
            return [0.0] * len(texts)

    oracle = Sees(0, 0)
    oracle.tokens = [11, 12, 40]
    prefix, _ = split_answer(ANSWER, 0.25)
    delta_scores(ANSWER, prefix, oracle, Random(0), draws=4)
    for text in oracle.seen[1:]:
        changed = [i for i, (a, b) in enumerate(zip(text, ANSWER.ids, strict=True)) if a != b]
        assert len(changed) == 1
        assert text[changed[0]] in oracle.tokens


def test_same_seed_same_choice():
    def once(seed):
        oracle = Copier(4, 14)
        oracle.nll = lambda texts, start: [float(hash(t) % 97) for t in texts]
        return list(selector_of("delta", {}).choose([ANSWER], oracle, seed))

    assert once(1) == once(1)
    assert len({tuple(once(seed)) for seed in range(9)}) > 1


def test_order_of_the_set_changes_nothing():
    """Each answer has random numbers of its own."""
    answers = [Sequence(f"forget-{k}", ANSWER.ids, ANSWER.answer) for k in range(6)]
    oracle = Copier(4, 14)
    oracle.nll = lambda texts, start: [float(hash(t) % 97) for t in texts]
    forth = list(selector_of("delta", {}).choose(answers, oracle, 0))
    back = list(selector_of("delta", {}).choose(answers[::-1], oracle, 0))
    assert forth == back[::-1]
    assert len(set(forth)) > 1


def test_oracle_scores_the_tokens_after_the_start_only():
    model = tiny_llama(dtype=torch.float32)
    ids = (3, 9, 14, 27, 5)
    oracle = ModelOracle(model, type("T", (), {"all_special_ids": [0], "__len__": lambda s: 61})())  # type: ignore[arg-type]
    logp = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    by_hand = -(logp[2, 27] + logp[3, 5]) / 2
    assert oracle.nll([ids], 3)[0] == pytest.approx(by_hand.item(), rel=1e-5)
    assert 0 not in oracle.tokens


def test_oracle_gives_the_log_probability_of_every_token_but_the_first():
    model = tiny_llama(dtype=torch.float32)
    texts = [(3, 9, 14, 27, 5), (8, 2)]
    oracle = ModelOracle(model, type("T", (), {"all_special_ids": [0], "__len__": lambda s: 61})())  # type: ignore[arg-type]
    for ids, found in zip(texts, oracle.logps(texts), strict=True):
        logp = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        by_hand = [logp[t - 1, ids[t]].item() for t in range(1, len(ids))]
        assert found == pytest.approx([0.0, *by_hand], rel=1e-4)
