"""DTO: which tokens become targets (our reading of the paper, arXiv 2510.00125)."""

import math
from random import Random
from typing import ClassVar

import pytest
import torch
from support import sequences, tiny_llama

from unteach.engine.batch import Pair, Pairs
from unteach.engine.look import count, look, reduce, restrict
from unteach.engine.selection import ModelOracle
from unteach.losses.seen import Seen
from unteach.methods import build
from unteach.methods.dto import delta_scores, highest, split_answer
from unteach.nouns import Sequence

ANSWER = Sequence("forget-0", (9, 11, 12, 13, 14, 15, 16, 17, 18), (False, *(True,) * 8))


class Copier:
    """A toy model whose suffix is a function of one token alone: it is sure while that stays."""

    tokens: ClassVar = list(range(100))

    def __init__(self, position: int, token: int):
        self.position, self.token, self.starts = position, token, set()

    def nll(self, texts, start):
        self.starts.add(start)
        return [0.1 if text[self.position] == self.token else 5.0 for text in texts]


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


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("ratio", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("suffix_ratio", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("suffix", ["held", "target", "ignored"])
def test_targets_are_as_many_as_asked_and_masks_cover_the_answer(
    length, ratio, suffix_ratio, suffix
):
    sequence = Sequence("forget-0", tuple(range(length + 3)), (False,) * 3 + (True,) * length)
    method = build("dto", {"ratio": ratio, "suffix_ratio": suffix_ratio, "suffix": suffix})
    choice = method.choose(sequence, Copier(4, 4), Random(0))
    prefix, rest = split_answer(sequence, suffix_ratio)
    answer = set(range(3, length + 3))
    assert choice.chosen <= answer
    assert not choice.chosen & choice.ignored
    if length == 1:
        assert choice.chosen == answer
        return
    assert set(prefix) | set(rest) == answer
    assert len(rest) == min(math.ceil(suffix_ratio * length), length - 1)
    wanted = max(math.ceil(ratio * len(prefix)), 1)
    assert len(choice.chosen & set(prefix)) == wanted
    assert set(rest) <= {"held": answer - choice.chosen, "target": choice.chosen}.get(
        suffix, choice.ignored
    )


def test_ratio_of_the_whole_answer():
    choice = build("dto", {"ratio": 0.5, "ratio_of": "answer"}).choose(
        ANSWER, Copier(4, 14), Random(0)
    )
    assert len(choice.chosen) == 4


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
        return build("dto", {}).choose(ANSWER, oracle, Random(seed))

    assert once("1/0") == once("1/0")


def test_oracle_scores_the_tokens_after_the_start_only():
    model = tiny_llama(dtype=torch.float32)
    ids = (3, 9, 14, 27, 5)
    oracle = ModelOracle(model, type("T", (), {"all_special_ids": [0], "__len__": lambda s: 61})())  # type: ignore[arg-type]
    logp = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    by_hand = -(logp[2, 27] + logp[3, 5]) / 2
    assert oracle.nll([ids], 3)[0] == pytest.approx(by_hand.item(), rel=1e-5)
    assert 0 not in oracle.tokens


def terms_of(method, policy, reference):
    forget = sequences(4, "forget")
    choices = [method.choose(s, Copier(5, 5), Random(s.id)) for s in forget]
    batch = Pairs(forget, None, choices).collate([Pair(i, None) for i in range(4)])
    inputs = {k: batch[k] for k in ("input_ids", "attention_mask")}
    logits = policy(**inputs).logits
    logits.retain_grad()
    seen = look(batch, logits, reference(**inputs).logits)["forget"]
    return batch, logits, method.forget(restrict(seen, method.reads))


def test_holding_costs_nothing_at_the_start():
    model = tiny_llama()
    batch, _, terms = terms_of(build("dto", {}), model, model)
    hold = next(t for t in terms if t.name == "hold")
    assert reduce(hold, "forget", count([batch])).item() == pytest.approx(0, abs=1e-12)


def test_ascent_touches_the_rows_of_targets_only():
    method = build("dto", {"hold": 0.0})
    batch, logits, terms = terms_of(method, tiny_llama(), tiny_llama())
    reduce(terms[0], "forget", count([batch])).backward()
    touched = logits.grad.abs().amax(-1)[:, :-1] > 0
    assert torch.equal(touched, batch["chosen"][:, 1:])


def test_no_weight_no_hold_term():
    assert [t.name for t in build("dto", {"hold": 0}).forget(seen_of_nothing())] == ["forget"]


def seen_of_nothing() -> Seen:
    none = torch.zeros(0, dtype=torch.long)
    return Seen(torch.zeros(0, 3), none, none, 0, chosen=none.bool())
