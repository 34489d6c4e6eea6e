"""Prompts that several texts have are read once, and nothing else changes."""

from dataclasses import replace
from random import Random

import pytest
import torch
from families import FAMILIES, tiny
from same_prompts import EOS, LONG, TEXTS, drawn, near, text
from support import tiny_llama

from unteach.inference import KeptStates, answer_tokens, reading_once
from unteach.inference.shared_prompts import SharedPromptReader
from unteach.types import Sequence

EXACT = {"rtol": 1e-9, "atol": 1e-9}


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "gemma2"])
@pytest.mark.parametrize("size", [30, 100, 4096])
def test_every_number_is_that_of_whole_texts(family, size):
    """Some families see the last four tokens alone; prompts and answers have up to 14 and 10."""
    model = FAMILIES[family](dtype=torch.float64)
    found = answer_tokens(model, TEXTS, tokens_per_batch=size, once=SharedPromptReader(worth=0))
    near(found, answer_tokens(model, TEXTS, tokens_per_batch=size), **EXACT)
    assert reading_once(model, TEXTS) is not None


def test_gemma_2_rounds_its_attention_to_float32():
    model = tiny("gemma2", torch.float32)
    found = answer_tokens(model, TEXTS, once=reading_once(model, TEXTS))
    near(found, answer_tokens(model, TEXTS), rtol=1e-5, atol=1e-5)
    exact = tiny("gemma2", torch.float64)
    exact.set_attn_implementation("eager")  # transformers 5.16 took another, which does not round
    assert reading_once(exact, TEXTS) is None


SPECIAL = {
    "one answer is the beginning of another": [text(LONG, a) for a in ([7], [7, 8], [7, 8, 9])],
    "equal texts": [text(LONG, [7, 8])] * 3,
    "answers of the end alone": [text(LONG, [EOS]), text(LONG, [EOS]), text(LONG, [9, EOS])],
    "one prompt is the beginning of another": [
        text(LONG[:n], [*a, EOS]) for n in (10, 11, 30) for a in ([4], [5, 6, 7], [8, 9])
    ],
    "prompts of one token": [text([n], [*a, EOS]) for n in (3, 4) for a in ([4], [5, 6], [8])],
    "the end within prompts and answers": [
        text((5, EOS, 0, 9, 9, 3), [*a, EOS]) for a in ([EOS, 4], [0, 5, 6], [EOS])
    ],
    "questions between answers": [
        replace(one, answer=(*one.answer[:-3], False, *one.answer[-2:]))
        for one in (text(LONG, [4, 5, 6, 7, n]) for n in (8, 9))
    ],
    "windows of a text": [  # each begins with the end of the one before
        text(LONG[k : k + 8], LONG[k + 8 : k + 12]) for k in (0, 4, 8) for _ in range(2)
    ],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_odd_texts(name):
    model, texts = tiny_llama(), SPECIAL[name]
    reading = SharedPromptReader(worth=0)
    near(answer_tokens(model, texts, once=reading), answer_tokens(model, texts), **EXACT)
    assert reading.prompts == len({one.ids[: one.answer.index(True)] for one in texts})
    assert reading_once(model, texts) is None or name != "prompts of one token"


def test_a_text_without_an_answer_is_read_and_has_no_numbers():
    texts = [*SPECIAL["equal texts"], Sequence("", (4, 5), (False, False))]
    assert answer_tokens(tiny_llama(), texts, once=SharedPromptReader())[-1].logps == []


def test_order_changes_no_digit_of_texts_in_one_order():
    """`ask` sorts them: so a text's company is the same whatever order the examples had."""
    model = tiny_llama(dtype=torch.float32)
    first = answer_tokens(model, sorted(TEXTS, key=lambda t: t.ids), once=SharedPromptReader())
    other = sorted(Random(1).sample(TEXTS, len(TEXTS)), key=lambda t: t.ids)
    assert answer_tokens(model, other, once=SharedPromptReader()) == first


def test_rows_for_the_original_are_kept_of_all_texts():
    model = tiny_llama()
    kept, plain = KeptStates(TEXTS), KeptStates(TEXTS)
    answer_tokens(model, TEXTS, kept=kept, once=SharedPromptReader(worth=0))
    answer_tokens(model, TEXTS, kept=plain)
    everyone = list(range(len(TEXTS)))
    torch.testing.assert_close(kept.rows(everyone), plain.rows(everyone), **EXACT)


def read(model, texts, **options):
    """The shapes that went through the backbone."""
    shapes = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, args, out: shapes.append(tuple(args[0].shape))
    )
    answer_tokens(model, texts, **options)
    hook.remove()
    return shapes


def test_what_is_read():
    """Two prompts of 30 with three and two answers: 2 x 30 and 5 x 4 tokens, not 5 x 34."""
    model = tiny_llama()
    answer_tokens(model, TEXTS)  # the first time, the head is looked at
    texts = [text(LONG, [n, 5, 6, 7]) for n in range(3)]
    texts += [text(LONG[::-1], [n, 5, 6, 7]) for n in range(2)]
    texts.append(text(LONG, [5] * 40))  # a batch is as wide as its longest answer
    texts.append(text(LONG[3:], [5, 6]))  # nobody has its prompt
    assert read(model, texts[:5]) == [(5, 34)]
    assert read(model, texts[:5], once=SharedPromptReader()) == [(2, 30), (5, 4)]
    shapes = read(model, texts, once=SharedPromptReader(), tokens_per_batch=170)
    assert shapes == [(1, 30), (4, 40), (1, 30), (2, 4), (1, 29)]


def test_no_forward_is_larger_than_a_batch_and_the_cache_has_an_end():
    """40 tokens a forward, 160 in the cache; a prompt or a text that is longer stands alone."""
    for seed in range(20):
        texts = drawn([1, 3, 3, 9, 17, 33, 60], seed)
        batches, grouped = SharedPromptReader(worth=0).batches(tiny_llama(), texts, 40)
        assert sorted(i for batch in batches for i in batch) == list(range(len(texts)))
        for members in (batch for batch in batches if batch[0] in grouped):
            assert set(members) <= grouped
            starts = [texts[i].answer.index(True) for i in members]
            longest = max(len(texts[i].ids) - n for i, n in zip(members, starts, strict=True))
            prompts = len({texts[i].ids[:n] for i, n in zip(members, starts, strict=True)})
            assert len(members) >= 2 * prompts
            assert max(prompts * max(starts), len(members) * longest) <= 40
            assert len(members) * (max(starts) + longest) <= 160


def test_short_prompts_are_not_worth_it():
    assert reading_once(tiny_llama(), [text([5], [n, 6, 7, 8, 9]) for n in range(9)]) is None
    assert reading_once(tiny_llama(), [text(LONG, [5, 6]), text(LONG[1:], [5, 6])]) is None
