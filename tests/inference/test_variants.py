"""Variants of a text are scored behind what they share with it, and nothing else changes."""

from random import Random

import pytest
import torch
from families import FAMILIES
from support import VOCABULARY, tiny_llama

from unteach.inference import variants
from unteach.inference.variants import VariantReader, variant_nll, whole_nll

DRAWN = Random(0)
FIRST = tuple(DRAWN.randrange(2, VOCABULARY) for _ in range(30))
START = 24


def other(*places):
    """The first text with other tokens at these places."""
    return tuple((t + 1) % VOCABULARY if k in places else t for k, t in enumerate(FIRST))


TEXTS = [
    FIRST,
    *(other(k) for k in range(10, START) for _ in range(2)),
    other(0),  # nothing is shared
    other(29),  # a label alone
    other(5, 20),
    (*other(12), 7, 8),  # longer
    FIRST,
]
WINDOWED = {"mistral", "gemma2", "gemma3_text"}  # a layer keeps the last tokens alone


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in WINDOWED])
@pytest.mark.parametrize("size", [1, 100, 4096])
def test_every_score_is_that_of_whole_texts(family, size):
    model = FAMILIES[family](dtype=torch.float64)
    found = variant_nll(model, TEXTS, START, tokens_per_batch=size)
    assert found == pytest.approx(whole_nll(model, TEXTS, START), rel=1e-9)
    assert len({round(value, 9) for value in found}) == len(set(TEXTS))


def test_a_variant_is_not_forwarded_from_its_beginning():
    model = tiny_llama(dtype=torch.float32)
    widths = []
    model.register_forward_pre_hook(
        lambda _, args, given: widths.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    reader = VariantReader(model, small=0)
    reader.nll([FIRST, other(20), other(22)], START)  # read both ways
    widths.clear()
    reader.nll([FIRST, other(20), other(22)], START)
    assert widths == [(1, 30), (2, 10)]


@pytest.mark.parametrize("family", sorted(WINDOWED))
def test_a_window_narrower_than_the_text_has_whole_texts_read(family):
    model = FAMILIES[family](dtype=torch.float32)
    with pytest.raises(TypeError, match="cannot be cut"):
        variant_nll(model, TEXTS, START)
    found = VariantReader(model, small=0).nll(TEXTS, START)
    assert found == whole_nll(model, TEXTS, START)


def test_a_window_wider_than_the_text_changes_nothing():
    model = FAMILIES["mistral"](dtype=torch.float64, sliding_window=64)
    found = variant_nll(model, TEXTS, START)
    assert found == pytest.approx(whole_nll(model, TEXTS, START), rel=1e-9)


def test_a_model_that_says_otherwise_is_read_whole(monkeypatch):
    model, short = tiny_llama(dtype=torch.float32), variants.variant_nll
    monkeypatch.setattr(variants, "variant_nll", lambda *a: [x + 0.01 for x in short(*a)])
    found = VariantReader(model, small=0).nll(TEXTS, START)
    assert found == whole_nll(model, TEXTS, START)


def test_a_few_short_texts_are_read_whole(monkeypatch):
    monkeypatch.delattr(variants, "variant_nll")
    model = tiny_llama(dtype=torch.float32)
    assert VariantReader(model).nll(TEXTS[:5], START) == whole_nll(model, TEXTS[:5], START)
