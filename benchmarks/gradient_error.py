"""How far gradients in float32 are from float64's, for every loss and every way to the gradient.

    python benchmarks/gradient_error.py

64 rows of width 512, a vocabulary of 128,256. Beside rows of random numbers there are rows that are
known by heart: their hidden states are moved along the target's row of the head until the target's
log-odds are 5, 10 or 20 (1 - p of 7e-3, 5e-5, 2e-9). Errors are norms of differences to the
gradient that `naive.py` has in float64 of the same numbers, over that gradient's norm; the worse of
hidden states and head counts. *naive* is what `naive.py` has in float32; *logits alone* is what is
lost where the logits are a float32 product and all else is float64: that is in any float32 way.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple
from unittest.mock import patch

import naive
import stage
import torch
from measure import RESULTS, alone, machine, write_csv
from runs import markdown
from stage import METHODS, RETAIN, Case, Inputs
from torch import Tensor

ROWS = 64
LOSSES = (*METHODS, *RETAIN)
ODDS = (None, 5.0, 10.0, 20.0)
GOALS = {"retain KL": 3e-5}
GOAL = 1e-5


class Way(NamedTuple):
    """How the gradient is come by; an answer has 16 rows, a pair of DPO's twice that."""

    name: str
    changes: dict


WAYS = (
    Way("whole answers", {"chunk": 32}),
    Way("whole answers, frozen head", {"chunk": 32, "frozen": True}),
    Way("answers in parts", {"chunk": 6}),
    Way("answers in parts, frozen head", {"chunk": 6, "frozen": True}),
    Way("answers in parts, head a module", {"chunk": 6, "module": True}),
)


def known(x: Inputs, odds: float) -> Inputs:
    """The same with hidden states whose targets have these log-odds, to a few digits."""
    weight, y = x.weight.detach().double(), x.labels[:, 1:, None]
    along = weight[y.squeeze(-1)]
    hidden = x.hidden.detach().double()
    state = hidden[:, :-1]
    for _ in range(8):
        z = state @ weight.T
        others = z.scatter(-1, y, float("-inf")).logsumexp(-1, keepdim=True)
        missing = odds - (z.gather(-1, y) - others)
        state = state + missing * along / along.square().sum(-1, keepdim=True)
    moved = torch.cat([state, hidden[:, -1:]], 1)
    before = moved + (x.before.double() - hidden)
    return x._replace(hidden=moved.float().requires_grad_(), before=before.float())


def wide(x: Inputs) -> Inputs:
    """The same numbers in float64."""
    y = Inputs(*(t.detach().double() if t.is_floating_point() else t for t in x))
    return y._replace(hidden=y.hidden.requires_grad_(), weight=y.weight.requires_grad_())


def gradients(loss: Callable[[Case, Inputs], Tensor], case: Case, x: Inputs) -> list[Tensor]:
    x.weight.requires_grad_(not case.frozen)
    leaves = [x.hidden] if case.frozen else [x.hidden, x.weight]
    return list(torch.autograd.grad(loss(case, x), leaves))


def answer_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """As in `naive.py`, but row by row: on a turned axis float64 loses digits where p is 1."""
    logits, labels = naive.shifted(logits, labels)
    values = naive.ce(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return values.view_as(labels).sum(-1)


def single(hidden: Tensor, weight: Tensor) -> Tensor:
    """The logits as float32 has them; the gradient as if they were exact."""
    exact = hidden @ weight.T
    return exact + (hidden.float() @ weight.float().T - exact).detach()


def off(found: list[Tensor], exact: list[Tensor]) -> list[float]:
    pairs = zip(found, exact, strict=False)
    return [((a.double() - b).norm() / b.norm()).item() for a, b in pairs]


def compared(loss: str, odds: float | None, vocabulary: int) -> list[list]:
    """One row for each way: its error, the naive one, and that of float32 logits."""
    case = Case(loss, ROWS, vocabulary=vocabulary)
    x = stage.inputs(case)
    x = x if odds is None else known(x, odds)
    with patch.object(naive, "answer_nll", answer_nll):
        exact = gradients(stage.naive_loss, case, wide(x))
        with patch.object(naive, "logits_of", single):
            logits = off(gradients(stage.naive_loss, case, wide(x)), exact)
    usual = off(gradients(stage.naive_loss, case, x), exact)
    kind = "random" if odds is None else f"log-odds {odds:g}"
    rows = []
    for way in WAYS:
        found = off(gradients(stage.our_loss, case._replace(**way.changes), x), exact)
        errors = [max(some[: len(found)]) for some in (found, usual, logits)]
        rows.append([loss, kind, way.name, *errors])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, default=128_256)
    parser.add_argument("--smoke", action="store_true", help="keeps nothing")
    args = parser.parse_args()
    vocabulary = 1000 if args.smoke else args.vocabulary
    rows = []
    for loss in LOSSES:
        goal = GOALS.get(loss, GOAL)
        for odds in ODDS:
            found = alone(compared, loss, odds, vocabulary)
            rows += [[*row, goal, "pass" if row[3] <= goal else "miss"] for row in found]
    header = ["loss", "rows", "way", "ours", "naive", "logits alone", "goal", "verdict"]
    cells = [[f"{cell:.1e}" if isinstance(cell, float) else cell for cell in row] for row in rows]
    print(f"{machine()}\n\n{markdown(header, cells)}")
    if not args.smoke:
        write_csv(RESULTS / "gradient-error.csv", header, rows)


if __name__ == "__main__":
    main()
