"""The loss stage alone, from the last hidden states to the gradients of them and of the head.

The inputs of a case, and a call for each side: `naive.py`, and ours.
"""

from typing import Any, NamedTuple

import naive
import torch
from measure import Call
from torch import Tensor

ANSWERS = 4
STRENGTH, BETA = 10.0, 0.1
WITH_TEACHER = ("UnDIAL", "retain KL")


class Case(NamedTuple):
    loss: str
    rows: int
    frozen: bool = False
    dtype: str = "float32"
    vocabulary: int = 128_256
    width: int = 512
    chunk: int = 128

    def __str__(self) -> str:
        head = "frozen" if self.frozen else "trainable"
        return f"{self.loss}, {self.rows} rows, {head} head, {self.dtype}"

    def small(self) -> "Case":
        return self._replace(rows=2 * ANSWERS, vocabulary=1000, chunk=4)


class Inputs(NamedTuple):
    """[B, T, D] hidden states, [V, D] heads, [B, T] labels and [B] log-probabilities before."""

    hidden: Tensor
    weight: Tensor
    before: Tensor
    weight_before: Tensor
    labels: Tensor
    logps: Tensor


def inputs(case: Case) -> Inputs:
    """Random, the model before a little different from the model; all rows are supervised."""
    torch.manual_seed(0)
    dtype = getattr(torch, case.dtype)
    shape = ANSWERS, case.rows // ANSWERS + 1, case.width
    weight = torch.empty(case.vocabulary, case.width, dtype=dtype).normal_(std=case.width**-0.5)
    hidden = torch.randn(shape, dtype=dtype)
    before = hidden + 0.1 * torch.randn(shape, dtype=dtype)
    # Where the head trains, the model before keeps a head of its own.
    weight_before = weight if case.frozen else weight.clone()
    labels = torch.randint(case.vocabulary, shape[:2])
    logps = torch.full((ANSWERS,), -12.0 * shape[1])
    return Inputs(
        hidden.requires_grad_(),
        weight.requires_grad_(not case.frozen),
        before,
        weight_before.detach(),
        labels,
        logps,
    )


def make(side: str, case: Case) -> Call:
    """A call that goes forward and backward once; gradients of the last time are gone before."""
    x = inputs(case)
    loss = {"naive": naive_loss, "ours": our_loss}[side]

    def call() -> Any:
        x.hidden.grad = x.weight.grad = None
        loss(case, x).backward()

    return call


def naive_loss(case: Case, x: Inputs) -> Tensor:
    before = None
    if case.loss in WITH_TEACHER:
        with torch.no_grad():
            before = naive.logits_of(x.before, x.weight_before)
    logits = naive.logits_of(x.hidden, x.weight)
    if case.loss == "UnDIAL":
        return naive.undial(logits, before, x.labels, strength=STRENGTH)
    if case.loss == "retain KL":
        return naive.kl_to_reference(logits, before, x.labels)
    if case.loss == "NPO":
        return naive.npo(logits, x.labels, x.logps, beta=BETA)
    loss = {"Unilogit": naive.unilogit, "hinge": naive.inverted_hinge, "CE": naive.cross_entropy}
    return loss[case.loss](logits, x.labels)


def our_loss(case: Case, x: Inputs) -> Tensor:
    raise NotImplementedError
