"""The last step of a language model, from final hidden states to logits, taken into our own hands.

A model's head is a matrix and, in some families, a rule or two behind it. Whoever knows both can
work out the logits of just the rows that matter, a few at a time.
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
