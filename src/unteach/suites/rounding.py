"""Round the numbers of a row so that the text cannot be recovered from them with the model.

Anyone with the model can compute its scores for any text. One exact number of a one-token answer
then reveals the token: it is the one in the vocabulary with this score. A few exact numbers do the
same for a longer answer, and so does the number of a single token (such as the least likely one).
So numbers are rounded, more coarsely the fewer tokens they are about, and most are left out for
answers of fewer than `SHORT` tokens. The error of a mean over many answers is far below its
confidence interval.
"""

import math
from dataclasses import fields, replace
from hashlib import blake2b
from typing import Any

from unteach.types import LITTLE, SHORT, Row

FEW = 4  # tokens: below, log-probabilities and ratios to wrong answers are rounded even more
LEAST = 1e-4  # smaller numbers are rounded to 0
BLOCK = 8  # bytes

# Shares of tokens: exact for answers with enough tokens.
COUNTED = ("matched", "strength", "matched_but_last", "strength_but_last")
SHARES = (*COUNTED, "reciprocal_rank", "rouge_l_recall", "rouge_l_f1", "said_repetition",
          "said_distinct")  # fmt: skip
MEANS = ("logp", "divergence", "gradient_norm", "said_logp")
# About generated answers: anyone with the model can generate them.
SAID = ("said_repetition", "said_distinct", "said_logp")
# Ratios between the right answer and wrong ones, which are not public.
RATIOS = ("truth_ratio", "truth_ratio_geometric")
OTHERS = ("id", "kind", "index", "tokens", "logp")  # all that is kept of other answers


def rounded(row: Row, *, forget: bool = True) -> Row:
    """Round a row to the form in which it is written and read by metrics.

    Shares are rounded to a grid from 0 to 1, other numbers to cells of one relative width. The
    row's id shifts the grid (dithering). The shift is the same for every model and process, so a
    mean over many answers has no bias, and two similar models keep similar rows.

    Args:
        row: with exact numbers.
        forget: whether the answer is to be forgotten. Then the ratios to wrong answers of a short
            answer are coarse: they would give the right answer's probability to anyone who knows
            the wrong ones.

    Example:
        >>> short = Row(id="a", tokens=1, logp=-3.0, matched=0.0, min_k=-3.0)
        >>> rounded(short).min_k, rounded(short).logp != short.logp
        (None, True)
    """
    offset = _offset(row)
    values = {
        field.name: _rounded(field.name, getattr(row, field.name), row.tokens, offset, forget)
        if _written(row, field.name)
        else field.default
        for field in fields(row)
    }
    return replace(row, **values)


def _rounded(name: str, value: Any, tokens: int, offset: float, forget: bool) -> Any:
    if not isinstance(value, float) or not math.isfinite(value):
        return value  # nan and infinity are kept, so that a broken model is reported
    if name in SAID:
        tokens = max(tokens, SHORT)
    secret = forget and tokens < SHORT
    if name == "choice":
        return _on_grid(value, 2 if secret else 20, offset)
    if name in RATIOS and secret and tokens < FEW:
        return _ratio(value, offset)
    if name in RATIOS:
        return _in_cell(value, _width(tokens, name) if secret else 0.1, offset)
    if name in SHARES:
        exact = name in COUNTED and tokens >= SHORT
        return value if exact else _on_grid(value, 2 if tokens < SHORT else 20, offset)
    return 0.0 if abs(value) < LEAST else _in_cell(value, _width(tokens, name), offset)


def blocks(size: int) -> int:
    """A size in bytes, rounded up to whole blocks.

    Example:
        >>> blocks(16), blocks(17)
        (16, 24)
    """
    return -(-size // BLOCK) * BLOCK


def _written(row: Row, name: str) -> bool:
    if row.kind != "answer":
        return name in OTHERS
    return row.tokens >= SHORT or name in LITTLE


def _width(tokens: int, name: str) -> float:
    """Width of a cell, in the natural logarithm of the number."""
    if tokens < SHORT:
        return math.log(4) if tokens < FEW else math.log(2)
    return 0.05 if name in MEANS else 0.1


def _ratio(value: float, offset: float) -> float:
    """Round a ratio to near 0, 1, or very large."""
    share = min(max(_on_grid(1 / (1 + value), 2, offset), LEAST), 1 - LEAST)
    return 1 / share - 1


def _on_grid(share: float, steps: int, offset: float) -> float:
    """Round up or down to a step of the grid; 0 and 1 are unchanged."""
    return math.floor(share * steps + offset) / steps


def _in_cell(value: float, width: float, offset: float) -> float:
    """Round to the mean of a logarithmic cell, shifted by the offset; the sign is kept."""
    if not value:
        return value
    at = math.log(abs(value)) / width
    middle = math.exp((math.floor(at + offset) + 0.5 - offset) * width)
    mean = middle * width / (2 * math.sinh(width / 2))  # so that the mean of many has no bias
    return float(f"{math.copysign(mean, value):.4g}")


def _offset(row: Row) -> float:
    """Offset of the grid, from 0 to 1, from a hash of the row's id, kind and index."""
    name = f"{row.id} {row.kind} {row.index}".encode()
    return int.from_bytes(blake2b(name, digest_size=6).digest(), "big") / 2**48
