"""KL to the original over the whole vocabulary, one backbone after the other."""

import gc

import pytest
import torch
from families import FAMILIES
from support import VOCABULARY, sequences, tiny_llama

from unteach.errors import UserError
from unteach.inference import KeptStates, answer_tokens, divergence, divergences, rows

TEXTS = sequences(9, "forget")


def measured(model, original, **options):
    kept = KeptStates(TEXTS)
    answer_tokens(model, TEXTS, kept=kept, **options)
    return divergences(original, TEXTS, kept, **options)


@torch.no_grad()
def by_hand(model, original, text):
    """Sum of q (log q - log p), with plain softmax in float64."""
    one, two = (m(torch.tensor([text.ids])).logits[0].double() for m in (model, original))
    log_p, log_q = one.log_softmax(-1), two.log_softmax(-1)
    every = (log_q.exp() * (log_q - log_p)).sum(-1)
    return [every[t - 1].item() for t, answer in enumerate(text.answer) if answer]


@pytest.mark.parametrize("family", FAMILIES)
def test_divergences_are_those_of_whole_softmaxes(family, monkeypatch):
    """Four rows of logits at a time, of heads with rules of their own."""
    model, original = FAMILIES[family](dtype=torch.float32), tiny_llama(seed=3)
    monkeypatch.setattr(rows, "chunk_rows", lambda head, device: 4)
    for text, found in zip(TEXTS, measured(model, original), strict=True):
        assert found == pytest.approx(by_hand(model, original, text), rel=1e-4)


def test_in_float32_and_whatever_the_batches():
    model, original = tiny_llama(dtype=torch.float32), tiny_llama(seed=3, dtype=torch.float32)
    whole = measured(model, original)
    for text, found in zip(TEXTS, whole, strict=True):
        assert found == pytest.approx(by_hand(model, original, text), rel=1e-4)
    for a, b in zip(measured(model, original, tokens_per_batch=20), whole, strict=True):
        assert a == pytest.approx(b, rel=1e-4)


def test_of_the_original_itself_nothing_to_the_last_digit():
    model = tiny_llama(dtype=torch.float32)
    assert {x for found in measured(model, model) for x in found} == {0.0}


def test_it_is_of_the_original_not_to_it():
    """KL(original || model) is infinite where the model rules out what the original may say."""
    model, original = tiny_llama(dtype=torch.float32), tiny_llama(seed=3, dtype=torch.float32)
    forward = measured(model, original)
    assert forward[0] != pytest.approx(measured(original, model)[0], rel=1e-3)


def test_models_with_unknown_rules_keep_their_own_logits(monkeypatch):
    model, original = tiny_llama(), tiny_llama(seed=3)
    expected = measured(model, original)
    for module in ("scoring", "divergence"):
        monkeypatch.setattr(f"unteach.inference.{module}.known_head", lambda model, texts: None)
    for a, b in zip(measured(model, original), expected, strict=True):
        assert a == pytest.approx(b, rel=1e-9)


def test_nothing_where_both_rule_a_token_out():
    """ln 2 where the original is sure of one of two that the model finds equal."""
    out = float("-inf")
    model, original = torch.tensor([[0.0, 0.0, out]]), torch.tensor([[0.0, out, out]])
    assert divergence._kl(model, original)[0].item() == pytest.approx(0.6931472)
    assert divergence._kl(original, model)[0].item() == float("inf")
    assert divergence._kl(original, original)[0].item() == 0


def test_another_vocabulary_is_said_plainly():
    wide = tiny_llama()
    wide.resize_token_embeddings(VOCABULARY + 3, mean_resizing=False)
    with pytest.raises(UserError, match=r"the original: has 64 .* the model 61"):
        measured(tiny_llama(), wide)


def test_no_texts_no_divergences():
    assert divergences(tiny_llama(), [], KeptStates([])) == []


def test_of_a_model_that_was_read_from_disk_the_head_alone_stays(tiny_folder):
    """transformers reads a file into one block, which each weight of the model would hold."""
    from torch.profiler import ProfilerActivity, profile
    from transformers import AutoModelForCausalLM

    kept = KeptStates(TEXTS)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        model = AutoModelForCausalLM.from_pretrained(tiny_folder).eval()
        size, head = model.num_parameters() * 4, model.lm_head.weight.nbytes
        answer_tokens(model, TEXTS, kept=kept)
        del model
        gc.collect()
    events = found.profiler.kineto_results.events()  # type: ignore[union-attr]
    left = sum(event.nbytes() for event in events if event.name() == "[memory]")
    assert head <= left < head + size / 4
