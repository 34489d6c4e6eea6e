"""How many answers go into one batch."""

from types import SimpleNamespace

import pytest
import torch
from support import tiny_llama
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig

from unteach.inference.budget import answering_tokens, cache_bytes


def on_accelerator(config, dtype=torch.bfloat16):
    return SimpleNamespace(device=SimpleNamespace(type="cuda"), config=config, dtype=dtype)


def llama(**sizes):
    return LlamaConfig(**{"num_hidden_layers": 16, "num_attention_heads": 32, **sizes})


def test_the_bytes_of_a_token_by_hand():
    """Llama-3.2-1B: 2 x 16 layers x 8 heads x 64 x 2 bytes = 32 KiB."""
    config = llama(hidden_size=2048, num_key_value_heads=8, head_dim=64)
    assert cache_bytes(on_accelerator(config)) == 32 * 1024


@pytest.mark.parametrize("model", [tiny_llama(), GPT2LMHeadModel(GPT2Config(n_layer=2))])
def test_the_bytes_of_a_token_are_those_of_the_cache(model):
    with torch.no_grad():
        cache = model(torch.tensor([[3, 4, 5]])).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert cache_bytes(model) == held / 3


def test_a_cpu_has_small_batches_and_an_accelerator_large_ones():
    assert answering_tokens(tiny_llama(), 4096) == 16_384
    small = llama(hidden_size=2048, num_key_value_heads=8, head_dim=64)
    assert answering_tokens(on_accelerator(small), 4096) == 81_920  # 131,072 would fit
    wide = llama(hidden_size=4096, num_hidden_layers=32, num_key_value_heads=8, head_dim=128)
    assert answering_tokens(on_accelerator(wide), 4096) == 4096 * 2**20 // (128 * 1024)
    huge = llama(hidden_size=8192, num_hidden_layers=80, num_attention_heads=64,
                 num_key_value_heads=64, head_dim=128)  # fmt: skip
    assert answering_tokens(on_accelerator(huge), 4096) == 8192
    assert answering_tokens(on_accelerator(wide), 1024) == 2**30 // (128 * 1024)


def test_a_config_that_does_not_tell():
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace())
    assert answering_tokens(on_accelerator(config), 512) == 1024
