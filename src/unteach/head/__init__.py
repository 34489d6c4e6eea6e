"""Compute a language model's logits from its final hidden states, outside its own forward pass.

The head is the output embedding matrix and, in some model families, a scale or a soft cap on its
product. With both known, logits can be computed for the needed rows only, a few rows at a time.
"""

from unteach.head.find import (
    chunk_rows,
    head_of,
    require_agreement,
    states_only,
)
from unteach.head.matrix import Head

__all__ = [
    "Head",
    "chunk_rows",
    "head_of",
    "require_agreement",
    "states_only",
]
