"""What all prompts of a batch begin with is forwarded once, and no answer changes by that."""

from random import Random

import pytest
import torch
from families import FAMILIES
from support import VOCABULARY, tiny_llama
from transformers import LlamaConfig, LlamaForCausalLM

from unteach.inference import caches, greedy, prefixes, queue
from unteach.inference.prefixes import common_prefix, prefilled

END = [1, 5, 6]
DRAWN = Random(0)
BEGINNING = tuple(DRAWN.randrange(2, VOCABULARY) for _ in range(17))
PROMPTS = [
    (*BEGINNING, *(DRAWN.randrange(2, VOCABULARY) for _ in range(DRAWN.randrange(1, 9))))
    for _ in range(12)
]
LIMITS = [DRAWN.randrange(1, 20) for _ in PROMPTS]
WINDOWS = {"gemma2", "gemma3_text", "mistral"}


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(
        queue, "prefilled", lambda model, prompts: prefilled(model, prompts, least=1)
    )


def read(model, prompts=PROMPTS, **options):
    """Tokens of each forward, and the answers."""
    tokens = []
    hook = model.register_forward_pre_hook(
        lambda _, args, given: tokens.append(given["input_ids"].numel()), with_kwargs=True
    )
    try:
        return tokens, greedy(model, prompts, limits=LIMITS[: len(prompts)], end=END, **options)
    finally:
        hook.remove()


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("size", [200, 8192])
def test_a_shared_beginning_changes_no_answer(kind, size, monkeypatch):
    model = FAMILIES[kind](dtype=torch.float32)
    whole, said = read(model, tokens_per_batch=size)
    monkeypatch.setattr(
        queue, "prefilled", lambda model, prompts: prefilled(model, prompts, least=1)
    )
    read(model, tokens_per_batch=size)  # asks the model both ways
    tokens, found = read(model, tokens_per_batch=size)
    assert found == said
    assert any(said)
    assert (sum(tokens) < 0.8 * sum(whole)) == (kind not in WINDOWS)
    assert set(prefixes.AGREED[model].values()) == {kind not in WINDOWS}


def test_no_padding_is_needed_where_all_are_of_one_length(always):
    model = tiny_llama(dtype=torch.float32)
    equal = [prompt[:18] for prompt in PROMPTS]
    tokens, _ = read(model, equal)
    assert prefixes.AGREED[model] == {False: True}
    read(model)
    assert prefixes.AGREED[model] == {False: True, True: True}
    assert tokens[:3] == [2 * 18, 17, 2]


def test_a_model_that_answers_otherwise_behind_a_prefix_reads_every_prompt_whole(
    always, monkeypatch
):
    """Positions by the column: right without padding, wrong behind it."""
    model = tiny_llama(dtype=torch.float32)
    asked = zip(PROMPTS, LIMITS, strict=True)
    whole = [greedy(model, [prompt], limits=[limit], end=END)[0] for prompt, limit in asked]
    right = caches.positions
    monkeypatch.setattr(
        caches, "positions",
        lambda model, mask, last: {
            name: ids + (mask.shape[1] - mask.sum(1))[:, None] * (last < mask.shape[1])
            for name, ids in right(model, mask, last).items()
        },
    )  # fmt: skip
    _, found = read(model)
    assert prefixes.AGREED[model] == {True: False}
    assert found == whole


@pytest.mark.parametrize("rows", [PROMPTS, PROMPTS[:2], [p[:18] for p in PROMPTS]])
def test_every_row_holds_its_prompt(rows):
    ids, attention, cache = prefilled(tiny_llama(dtype=torch.float32), rows, least=1)
    assert cache is not None
    assert cache.get_seq_length() == common_prefix(rows)
    for row, mask, prompt in zip(ids, attention.bool(), rows, strict=True):
        assert tuple(row[mask].tolist()) == prompt
        assert mask[-1]


def test_too_little_to_save_is_left_alone():
    model = tiny_llama(dtype=torch.float32)
    assert prefilled(model, PROMPTS)[2] is None  # 11 rows of 17 tokens
    assert prefilled(model, PROMPTS[:1], least=0)[2] is None
    other = [(2, *prompt) for prompt in PROMPTS[:1]] + [(3, *prompt) for prompt in PROMPTS]
    assert prefilled(model, other, least=1)[2] is None  # nothing in common
    long = [(9, *range(10, 14), *BEGINNING * 3, k) for k in range(4)]
    short = [(9, 2, *BEGINNING * 3, k) for k in range(4)]
    assert prefilled(model, long + short, least=1)[2] is None  # one token of 54


def test_the_common_prefix_leaves_a_token_of_each():
    for _ in range(200):
        rows = [
            tuple(DRAWN.choice([4, 4, 4, 5]) for _ in range(DRAWN.randrange(1, 7)))
            for _ in range(DRAWN.randrange(1, 5))
        ]
        least = min(map(len, rows)) - 1
        longest = max(n for n in range(least + 1) if len({row[:n] for row in rows}) == 1)
        assert common_prefix(rows) == longest


def test_half_precision_is_asked_with_a_wider_tolerance(always):
    model = tiny_llama(dtype=torch.bfloat16)
    read(model)
    assert prefixes.AGREED[model] == {True: True}


LENGTHY = {
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "longrope": {
        "rope_type": "longrope", "factor": 8.0, "original_max_position_embeddings": 64,
        "short_factor": [1.0] * 4, "long_factor": [8.0, 4.0, 2.0, 1.5],
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", LENGTHY)
def test_positions_that_depend_on_the_length_share_no_prefix(kind):
    """A prefix would be encoded with the frequencies of a shorter text."""
    config = LlamaConfig(
        vocab_size=97, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=4, max_position_embeddings=64, rope_scaling=LENGTHY[kind],
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    prompts = [(5,) * 12 + (k, *[6] * k) for k in range(2, 8)]
    assert prefilled(model, prompts, least=1)[2] is None


def test_a_small_difference_is_one(monkeypatch):
    model = tiny_llama(dtype=torch.float32)
    for apart, alike in ((2e-4, True), (2e-3, False)):
        monkeypatch.setattr(
            prefixes, "_next_logits",
            lambda *given, apart=apart: torch.full((2, 9), 5.0) + (given[-1] is not None) * apart,
        )  # fmt: skip
        assert prefixes._agrees(model, [(5, 6, 7), (5, 6, 8, 9)], 2) == alike
