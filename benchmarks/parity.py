"""Is each method its formula? Value and gradient of every method against the formula written anew.

    python benchmarks/parity.py --out docs/parity.md

Exits with 1 where an error is above its limit.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import plain
import torch
from formulas import exact, levels, naive
from parity_batch import LENGTHS, ODDS, batch, leaves, number
from torch import Tensor

from unteach.losses.answer_rows import AnswerRows, Term
from unteach.losses.retain import retain_term
from unteach.methods import METHODS, build

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
LIMITS = {"float64": 1e-9, "float32": 1e-5, "bfloat16": 2e-2}
LIMIT_OF_A_ROW = 1e-3  # float32
VARIANTS = (
    ("ce-u", {"skip_first": False}),
    ("dto", {"objective": "ascent"}),
    ("dto", {"objective": "ascent", "ceiling": 12.0}),
    ("dto", {"objective": "level"}),
    ("dto", {"objective": "unlikelihood"}),
    ("etw", {"normalise": "vocabulary"}),
    ("undial", {"focus": "informative"}),
    ("undial", {"level": "holdout"}),
    ("undial", {"prompt_distillation": 1.0}),
    ("unilogit", {"direction": "forward"}),
    ("unilogit", {"level": "holdout"}),
    ("unilogit", {"target": "original"}),
    ("unilogit", {"target": "original", "direction": "forward"}),
    ("whp", {"towards": "likeliest"}),
)


# Ours: the method's own terms, and the sum over the count.


def ours(name: str, options: dict, groups: dict[str, AnswerRows]) -> tuple[list[Tensor], Tensor]:
    method, forget = build(name, options), groups["forget"]
    if "teacher_targets" in method.needs():  # of every token: without logits no other is known
        forget = replace(forget, teacher_targets=levels(forget))
    terms = [(term, "forget") for term in method.forget(forget)]
    if method.plan.retain != "none":
        kept = retain_term(method.plan.retain, groups["retain"], method.plan.retain_weight)
        terms.append((kept, "retain"))
    loss = sum(t.weight * t.values.sum() / count(t, groups[g]) for t, g in terms)
    return [t.values.detach() for t, _ in terms], loss


def count(term: Term, seen: AnswerRows) -> float:
    rows = len(seen.target)
    counts = {
        "answers": seen.num_answers,
        "tokens": rows,
        "selected": int(seen.selected.sum()),
        "unselected": int((~seen.selected & ~seen.ignored).sum()),
        "alternate": rows,  # the groups are of one size
        "prompt": rows,
    }
    parts = {term.over: 1} if isinstance(term.over, str) else term.over
    return sum(factor * counts[over] for over, factor in parts.items())


# The comparison.


class Result(NamedTuple):
    name: str
    key: str
    value: dict[str, float]
    gradient: dict[str, float]
    autograd: float
    row: float

    def broken(self) -> list[str]:
        found = [
            f"{self.key}: {what} in {dtype} is off by {error:.1e}, limit {LIMITS[dtype]:.0e}"
            for what, errors in (("value", self.value), ("gradient", self.gradient))
            for dtype, error in errors.items()
            if not error < LIMITS[dtype]
        ]
        if not self.autograd < LIMITS["float64"]:
            found.append(f"{self.key}: naive autograd differs by {self.autograd:.1e}")
        if not self.row < LIMIT_OF_A_ROW:
            found.append(f"{self.key}: a row in float32 is off by {self.row:.1e}")
        return found


def off(found: Tensor, expected: Tensor) -> float:
    """Largest error over the largest magnitude that is expected."""
    scale = expected.abs().max().item()
    return (found.double() - expected).abs().max().item() / (scale or 1.0)


def off_by_row(found: Tensor, expected: Tensor) -> float:
    return max(off(a, b) for a, b in zip(found, expected, strict=True))


def compare(name: str, options: dict, vocabulary: int) -> Result:
    key = " ".join([name, *(f"{k}={v}" for k, v in options.items())])
    value, gradient, autograd, row = {}, {}, 0.0, 0.0
    for label, dtype in DTYPES.items():
        groups = batch(vocabulary, dtype)
        values, loss = ours(name, options, groups)
        found = grads(loss, groups)
        twin = as_float64(groups)
        expected, slopes = exact(name, key, twin)
        value[label] = max(off(v, number(e)) for v, e in zip(values, expected, strict=True))
        gradient[label] = max(off(found[leaf], slopes[leaf]) for leaf in slopes)
        if label == "float32":
            row = max(off_by_row(found[leaf], slopes[leaf]) for leaf in slopes)
        if label == "float64":
            full = grads(naive(name, key, twin), twin)
            autograd = max(off(found[leaf], full[leaf]) for leaf in full)
    return Result(name, key, value, gradient, autograd, row)


def grads(loss: Tensor, groups: dict[str, AnswerRows]) -> dict[str, Tensor]:
    named = leaves(groups)
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {
        leaf: torch.zeros_like(x) if g is None else g
        for (leaf, x), g in zip(named.items(), found, strict=True)
    }


def as_float64(groups: dict[str, AnswerRows]) -> dict[str, AnswerRows]:
    """The same numbers, as they were rounded."""

    def wide(seen: AnswerRows) -> AnswerRows:
        return replace(
            seen,
            logits=seen.logits.detach().double().requires_grad_(),
            hidden=seen.hidden.detach().double().requires_grad_(),
            reference_logits=seen.reference_logits.double(),
            reference_hidden=seen.reference_hidden.double(),
            reference_logps=seen.reference_logps.double(),
            teacher_logits=seen.teacher_logits.double(),
            teacher_targets=seen.teacher_targets.double(),
        )

    return {name: wide(seen) for name, seen in groups.items()}


def cases() -> list[tuple[str, dict]]:
    """Every registered method with its defaults, and the variants."""
    return [(name, {}) for name in METHODS] + list(VARIANTS)


def results(vocabulary: int) -> list[Result]:
    return [compare(name, options, vocabulary) for name, options in sorted(cases(), key=str)]


def page(found: list[Result], vocabulary: int) -> str:
    torch_version = torch.__version__.split("+")[0]
    values = {
        "torch": torch_version,
        "answers": f"{len(LENGTHS)} answers of {min(LENGTHS)} to {max(LENGTHS)} tokens",
        "vocabulary": vocabulary,
        "gone": f"{plain.sigmoid(ODDS[0]):.0e}",
        "known": f"{plain.sigmoid(-ODDS[-1]):.0e}",
        "limits": ", ".join(f"{limit:.0e} in {dtype}" for dtype, limit in LIMITS.items()),
        "row": f"{LIMIT_OF_A_ROW:.0e}",
        "lines": "\n".join(line(result) for result in found),
    }
    return PAGE.format(**values)


PAGE = """\
# Is each method its formula?

Written by `benchmarks/parity.py` (torch {torch}, CPU).

Each method's own terms, with the retain term of its plan, on one random batch: {answers}, a
vocabulary of {vocabulary}, answer tokens from p = {gone} (long forgotten) to 1 - p = {known} (known
by heart). They are compared with the formula written a second time in plain Python floats
(`benchmarks/plain.py`: the value as the paper has it; the gradient derived by hand, and checked by
finite differences in `tests/losses/test_equations.py`), on the same numbers after rounding to the
dtype. The column *autograd* compares with a third writing: the loss as one would put it down, over
the whole vocabulary, differentiated by torch in float64 (`benchmarks/formulas.py`).

How errors are measured:

- *value*: the largest error among the values of a term (one per token, or one per answer), over the
  largest of these values.
- *gradient*: the largest error in the gradient by a group's logits (or hidden states), over the
  largest magnitude of that gradient. The worst group counts.
- *row*: the same for each token's row alone, float32, and the worst row counts. A token that is
  known by heart has a tiny gradient, and here no allowance for it. Differences of two distributions
  lose digits where one is nearly sure of its token (JensUn's retain term); functions of the token's
  log-odds do not.

Limits: {limits}; {row} for a row. The script fails above them, and so does `tests/test_parity.py`.
A bfloat16 gradient has 8 bits, so that one rounding is up to 4e-3. Where the largest logits are
equal, as they often are in bfloat16, they share the gradient (LoKU, PDU); so do those that are
equal to the K-th largest (MASC, PALU).

| method | formula | value | | | gradient | | | autograd | row |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
| | | float64 | float32 | bfloat16 | float64 | float32 | bfloat16 | float64 | float32 |
{lines}

Outside of these numbers: task-vector's arithmetic on weights, PDU's dual variable, RMU's choice of
weights, DTO's and PALU's choice of tokens, MASC's stopping rule, which is not there, and LoKU's
adapters (`tests/methods`, `tests/adapters`). DTO, ETW and PALU are our readings of their papers, so
their rows say that the code is our reading, no more.
"""


def line(result: Result) -> str:
    paper = METHODS.get(result.name).paper
    errors = [*result.value.values(), *result.gradient.values(), result.autograd, result.row]
    cells = [f"{error:.0e}" if error else "0" for error in errors]
    label = ", ".join(result.key.split())
    return f"| {label} | [{paper.arxiv}]({paper.url}): {paper.where} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--vocabulary", type=int, default=1000)
    args = parser.parse_args()
    found = results(args.vocabulary)
    text = page(found, args.vocabulary)
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    broken = [problem for result in found for problem in result.broken()]
    sys.exit("\n".join(broken) if broken else 0)


if __name__ == "__main__":
    main()
