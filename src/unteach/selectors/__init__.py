"""Selectors: ways to select the tokens of forget answers that matter, one per file."""

from unteach.selectors._base import (
    SELECTORS,
    ReferenceOracle,
    Selection,
    Selector,
    highest,
    selector,
    selector_of,
)
from unteach.selectors._text import answer_parts, bare, tokens_in

__all__ = [
    "SELECTORS",
    "ReferenceOracle",
    "Selection",
    "Selector",
    "answer_parts",
    "bare",
    "highest",
    "selector",
    "selector_of",
    "tokens_in",
]
