"""Teacher forcing: one text at a time says the same."""

import pytest
import torch
from families import FAMILIES
from support import VOCABULARY, sequences, tiny_llama

from unteach.inference import answer_tokens, rows, scoring

TEXTS = sequences(9, "forget")


def test_answers_are_scored_as_one_text_at_a_time_would_be(model):
    for text, answered in zip(TEXTS, answer_tokens(model, TEXTS), strict=True):
        with torch.no_grad():
            logp = model(torch.tensor([text.ids])).logits[0].log_softmax(-1)
        places = [t for t, is_answer in enumerate(text.answer) if is_answer]
        for k, t in enumerate(places):
            row = logp[t - 1]
            mean = (row.exp() * row).sum().item()
            spread = (row.exp() * (row - mean).square()).sum().sqrt().item()
            assert answered.logps[k] == pytest.approx(row[text.ids[t]].item(), abs=1e-5)
            assert answered.hits[k] == (row.argmax().item() == text.ids[t])
            assert answered.ranks[k] == (row > row[text.ids[t]]).sum().item()
            assert answered.means[k] == pytest.approx(mean, abs=1e-5)
            assert answered.spreads[k] == pytest.approx(spread, abs=1e-5)


@pytest.mark.parametrize("size", [1, 20, 64, 4096])
def test_batch_size_changes_nothing(model, size):
    whole = answer_tokens(model, TEXTS)
    cut = answer_tokens(model, TEXTS, tokens_per_batch=size)
    for a, b in zip(whole, cut, strict=True):
        assert a.logps == pytest.approx(b.logps, abs=1e-5)


def test_half_precision_models_are_scored_in_float32(model):
    half = tiny_llama(dtype=torch.bfloat16)
    for text, answered in zip(TEXTS, answer_tokens(half, TEXTS), strict=True):
        with torch.no_grad():
            logits = half(torch.tensor([text.ids])).logits[0].float()
        t = text.prompt_length
        exact = logits[t - 1].log_softmax(-1)[text.ids[t]].item()
        # Batching changes bfloat16 logits by one unit in the last place; log-softmax must not.
        assert answered.logps[0] == pytest.approx(exact, abs=0.05)
        assert answered.logps[0] != torch.tensor(answered.logps[0]).bfloat16().item()


def test_progress_is_told(model):
    told = []
    answer_tokens(model, TEXTS, tokens_per_batch=30, progress=lambda a, b: told.append((a, b)))
    assert told[-1] == (9, 9)
    assert VOCABULARY == 61


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_of_the_head_are_the_models_own_logits(family, monkeypatch):
    """Made four at a time; nothing of the width of the vocabulary comes out of the model."""
    model = FAMILIES[family](dtype=torch.float32)
    monkeypatch.setattr(scoring, "known_head", lambda model, sequences: None)
    plain = answer_tokens(model, TEXTS)
    monkeypatch.undo()
    monkeypatch.setattr(rows, "chunk_rows", lambda head, device: 4)
    for a, b in zip(answer_tokens(model, TEXTS), plain, strict=True):
        assert a.logps == pytest.approx(b.logps, abs=1e-4)
        assert a.hits == b.hits
        assert a.means == pytest.approx(b.means, abs=1e-4)
        assert a.spreads == pytest.approx(b.spreads, abs=1e-4)


def test_a_model_with_an_unknown_rule_is_scored_by_its_own_logits():
    model = tiny_llama(dtype=torch.float32)
    inner = model.forward

    def forward(*args, **options):
        found = inner(*args, **options)
        found.logits = 2 * found.logits
        return found

    expected = [(2 * inner(torch.tensor([s.ids])).logits[0]).log_softmax(-1) for s in TEXTS]
    model.forward = forward
    for text, logp, answered in zip(TEXTS, expected, answer_tokens(model, TEXTS), strict=True):
        t = text.prompt_length
        assert answered.logps[0] == pytest.approx(logp[t - 1, text.ids[t]].item(), abs=1e-4)


def test_one_forward_per_text(model, monkeypatch):
    seen = []
    inner = model.forward

    def forward(input_ids, **options):
        seen.append(len(input_ids))
        return inner(input_ids=input_ids, **options)

    answer_tokens(model, TEXTS)  # the first time, the head is looked at
    monkeypatch.setattr(model, "forward", forward)
    answer_tokens(model, TEXTS)
    assert sum(seen) == len(TEXTS)


def test_no_texts_no_answers(model):
    assert answer_tokens(model, []) == []


def test_ranks_count_what_is_likelier_and_hits_have_rank_nought():
    """Of a tie neither is likelier; a logit that is no number is never known by heart."""
    nan = float("nan")
    logits = torch.tensor([[2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [0.0, nan, 1.0], [nan, nan, nan]])
    _, hits, ranks, *_ = scoring._score(logits, torch.tensor([1, 2, 2, 0]))
    assert ranks.tolist() == [0, 2, 1, 3]
    assert hits.tolist() == [False, False, False, False]
    # These differ by one unit in the last place, and their log-probabilities do not.
    close = torch.tensor([[1.0, 1.0000001, -40.0] + [9.0] * 61])[:, :2]
    _, hits, ranks, *_ = scoring._score(torch.cat([close, close - 30], 1), torch.tensor([0]))
    assert (hits.item(), ranks.item()) == (False, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_ranks_are_those_of_the_models_own_logits(family):
    model = FAMILIES[family](dtype=torch.float32)
    for text, answered in zip(TEXTS, answer_tokens(model, TEXTS), strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([text.ids])).logits[0]
        places = [t for t, is_answer in enumerate(text.answer) if is_answer]
        expected = [(logits[t - 1] > logits[t - 1, text.ids[t]]).sum().item() for t in places]
        assert answered.ranks == expected
        assert answered.hits == [rank == 0 for rank in answered.ranks]
