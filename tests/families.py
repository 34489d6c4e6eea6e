"""Tiny models of the families in use: separate and tied heads, both ways of keeping a weight.

`MODELS` are three that differ most where adapters go; `FAMILIES` are all.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from support import VOCABULARY, tiny_llama
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
)

from unteach.adapters.lora import linear_names

IDS = torch.tensor([[5, 9, 14, 3, 22, 41, 7]])


def tiny_gpt2(dtype=torch.float64, *, layers=2):
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=16, n_layer=layers, n_head=2, bos_token_id=0,
        eos_token_id=1, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0,
    )  # fmt: skip
    return GPT2LMHeadModel(config).to(dtype).eval()


def tiny_neox(dtype=torch.float64):
    """The head is a matrix of its own, and "dense" is part of three layers' names."""
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=64, tie_word_embeddings=False,
        initializer_range=0.2, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return GPTNeoXForCausalLM(config).to(dtype).eval()


SHAPE = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
    "max_position_embeddings": 64, "initializer_range": 0.2, "attention_dropout": 0.0,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
}  # fmt: skip
# One layer sees the last four tokens, the other all.
HYBRID = {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]}
OWN: dict[str, dict[str, Any]] = {
    "qwen2": {},
    "qwen3": {},
    "gemma2": {**HYBRID, "query_pre_attn_scalar": 8},
    "gemma3_text": {**HYBRID, "query_pre_attn_scalar": 8},
    "mistral": {"sliding_window": 4},
    "phi3": {"resid_pdrop": 0.0, "embd_pdrop": 0.0},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16, "init_std": 0.2, "dropout": 0.0},
    "granite": {"logits_scaling": 2.0, "residual_multiplier": 0.5, "embedding_multiplier": 3.0},
    "cohere": {"logit_scale": 0.5},
}


def tiny(kind: str, dtype: torch.dtype = torch.float64, **settings: Any) -> Any:
    """A model of one of the families in `OWN`."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **(SHAPE | OWN[kind] | settings))
    return AutoModelForCausalLM.from_config(config).to(dtype).eval()


MODELS = {"llama": tiny_llama, "gpt2": tiny_gpt2, "neox": tiny_neox}
FAMILIES: dict[str, Callable[..., Any]] = MODELS | {kind: partial(tiny, kind) for kind in OWN}


def linears(model):
    modules = dict(model.named_modules())
    return {name: modules[name] for name in linear_names(model)}


def logits(model) -> Tensor:
    with torch.no_grad():
        return model(IDS).logits


def train_a_little(model, steps=5):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(steps):
            for p in model.parameters():
                if p.requires_grad:
                    p += 0.02 * torch.randn(p.shape, generator=generator).to(p)
