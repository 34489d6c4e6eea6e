"""Llamas of random weights, texts of random tokens: what steps are measured on."""

from typing import Any, NamedTuple

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from unteach.types import Sequence


class Shape(NamedTuple):
    width: int
    layers: int
    heads: int
    groups: int  # of heads that share keys and values
    inner: int
    tied: bool
    vocabulary: int = 128_256


SHAPES = {
    "small": Shape(512, 8, 8, 8, 2048, tied=True),
    "Llama-3.2-1B": Shape(2048, 16, 32, 8, 8192, tied=True),
    "Llama-3.1-8B": Shape(4096, 32, 32, 8, 14_336, tied=False),
}


def llama(shape: Shape, *, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Any:
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.groups,
        intermediate_size=shape.inner,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=2048,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=1,
        dtype=dtype,
    )
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(usual)


def texts(
    role: str, count: int, tokens: int, vocabulary: int, *, answers: float = 0.3
) -> list[Sequence]:
    """Texts of one length, whose last part is the answer."""
    generator = torch.Generator().manual_seed(len(role))
    prompt = tokens - round(answers * tokens)
    mask = (False,) * prompt + (True,) * (tokens - prompt)
    return [
        Sequence(f"{role}-{k}", tuple(ids), mask)
        for k, ids in enumerate(
            torch.randint(2, vocabulary, (count, tokens), generator=generator).tolist()
        )
    ]


class Tokenizer:
    """As much of one as the trainer asks for, when it is given ready sequences."""

    all_special_ids = (0, 1)
    model_max_length = 2048

    def __init__(self, vocabulary: int):
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        return self.vocabulary

    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        return {"input_ids": [2 + ord(letter) for letter in text]}

    def save_pretrained(self, folder: Any) -> None:
        """Checkpoints ask for it."""
