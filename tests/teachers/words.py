"""A tokenizer of whole words, and examples about people, for teachers."""

from pathlib import Path
from typing import Any

from unteach.data import encode_all
from unteach.types import Example, Sequence, Turn

TEXTS = """Where does Ada Berg live? Ada Berg lives in Lund. What does Bo Holm do? Bo Holm is a
baker. Who wrote it? It was written. Cy Lang Di Ek the The capital of Ada's town is Lund Simon
Vogel ."""


def tokenizer(folder: Path) -> Any:
    """Made of the words above; each name of one word is one token."""
    from unteach.demo.train import train_tokenizer

    return train_tokenizer([TEXTS] * 3, vocabulary=600)


def sequences(pairs: list[tuple[str, str]], role: str, tokenizer: Any) -> list[Sequence]:
    examples = [
        Example(
            id=f"{role}-{k}", where=role, kind="pair", turns=(Turn("user", q), Turn("assistant", a))
        )
        for k, (q, a) in enumerate(pairs)
    ]
    return encode_all(examples, tokenizer, max_length=64)[0]
