"""What of a row is written: rounded so that nobody who has the model can tell the text from it.

Whoever holds a model can work out what it says of any text. One exact number of an answer of one
token then tells the token: it is the one of the vocabulary with this number. So do a few exact
ones of an answer of more, or the number of one token (the least likely, say) in a longer one.
Therefore a number is coarse, and the more so the fewer tokens it is about; of an answer of fewer
than `SHORT` tokens most are left out. What a mean over many answers loses is far below its
interval.
"""

import math
from dataclasses import fields, replace
from hashlib import blake2b
from typing import Any

from unteach.types import LITTLE, SHORT, Row

FEW = 4  # tokens: of fewer a log-probability is coarser still, and so are ratios to wrong answers
LEAST = 1e-4  # below it a number counts as 0
BLOCK = 8  # bytes

# Shares of tokens: with enough of these, how many are the likeliest may be known.
COUNTED = ("matched", "strength", "matched_but_last", "strength_but_last")
SHARES = (*COUNTED, "reciprocal_rank", "rouge_l_recall", "rouge_l_f1", "said_repetition",
          "said_distinct")  # fmt: skip
MEANS = ("logp", "divergence", "gradient_norm", "said_logp")
LOWEST = ("min_k", "min_k_plus_plus", "min_40", "min_40_but_last", "min_40_plus_plus_but_last")
# Of what the model says when it is asked: whoever has it can ask it himself.
SAID = ("said_repetition", "said_distinct", "said_logp")
# Between the right answer and wrong ones, which nobody else has.
RATIOS = ("truth_ratio", "truth_ratio_geometric")
OTHERS = ("id", "kind", "index", "tokens", "logp")  # all that is kept of an answer in its place


def rounded(row: Row, *, forget: bool = True) -> Row:
    """The row as it is written, and as metrics read it.

    Shares lie on a grid from 0 to 1, other numbers in cells of one relative width. Where in its
    cell a number falls is decided by the row's id, which is the same for every model and in every
    process: so a mean over many answers is not shifted, and two like models stay alike.

    Args:
        row: with exact numbers.
        forget: whether the answer is to be forgotten. The ratios to wrong answers are coarse then,
            where it is short: whoever knows the wrong ones would know the right one's probability.

    Example:
        >>> short = Row(id="a", tokens=1, logp=-3.0, matched=0.0, min_k=-3.0)
        >>> rounded(short).min_k, rounded(short).logp != short.logp
        (None, True)
    """
    place = _place(row)
    found = {
        field.name: _rounded(field.name, getattr(row, field.name), row.tokens, place, forget)
        if _written(row, field.name)
        else field.default
        for field in fields(row)
    }
    return replace(row, **found)


def _rounded(name: str, value: Any, tokens: int, place: float, forget: bool) -> Any:
    if not isinstance(value, float) or not math.isfinite(value):
        return value  # a broken model is told as one
    if name in SAID:
        tokens = max(tokens, SHORT)
    secret = forget and tokens < SHORT
    if name == "choice":
        return _on_grid(value, 2 if secret else 20, place)
    if name in RATIOS and secret and tokens < FEW:
        return _ratio(value, place)
    if name in RATIOS:
        return _in_cell(value, _width(tokens, name) if secret else 0.1, place)
    if name in SHARES:
        exact = name in COUNTED and tokens >= SHORT
        return value if exact else _on_grid(value, 2 if tokens < SHORT else 20, place)
    return 0.0 if abs(value) < LEAST else _in_cell(value, _width(tokens, name), place)


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
    """How wide a cell is, in the natural logarithm of the number."""
    if tokens < SHORT:
        return math.log(4) if tokens < FEW else math.log(2)
    return 0.05 if name in MEANS else 0.1


def _ratio(value: float, place: float) -> float:
    """Near 0, 1, or so large that the right answer is nothing beside the wrong ones."""
    share = min(max(_on_grid(1 / (1 + value), 2, place), LEAST), 1 - LEAST)
    return 1 / share - 1


def _on_grid(share: float, steps: int, place: float) -> float:
    """Up or down to the next step; 0 and 1 stay."""
    return math.floor(share * steps + place) / steps


def _in_cell(value: float, width: float, place: float) -> float:
    """The mean of a cell of that width, which moves with the place; the sign is kept."""
    if not value:
        return value
    at = math.log(abs(value)) / width
    middle = math.exp((math.floor(at + place) + 0.5 - place) * width)
    mean = middle * width / (2 * math.sinh(width / 2))  # so that many together are not shifted
    return float(f"{math.copysign(mean, value):.4g}")


def _place(row: Row) -> float:
    """From 0 to 1, by the row's name."""
    name = f"{row.id} {row.kind} {row.index}".encode()
    return int.from_bytes(blake2b(name, digest_size=6).digest(), "big") / 2**48
