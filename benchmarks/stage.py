"""The loss stage alone, from the last hidden states to the gradients of them and of the head.

The inputs of a case, and a call for each side: `naive.py`, and the vocabulary step.
"""

from typing import Any, NamedTuple

import naive
import torch
from measure import Call
from torch import Tensor

from unteach.head import Head
from unteach.losses.answer_rows import AnswerRows
from unteach.losses.retain import retain_term
from unteach.methods import build
from unteach.rowengine.chunked_loss import CutRules, RowGroup, chunked_loss

ANSWERS = 4
STRENGTH, BETA = 10.0, 0.1
METHODS = {
    "UnDIAL": build("undial", {"strength": STRENGTH}),
    "Unilogit": build("unilogit", {}),
    "hinge": build("loku", {}),
    "NPO": build("npo", {"beta": BETA}),
    "SimNPO": build("simnpo", {"beta": BETA, "margin": 0.0}),
    "DPO": build("dpo", {"beta": BETA}),
}
RETAIN = {"retain KL": "kl", "CE": "nll"}
WITH_TEACHER = ("UnDIAL", "retain KL")


class Case(NamedTuple):
    """A loss; of DPO's answers half are wanted, half unwanted."""

    loss: str
    rows: int
    frozen: bool = False
    dtype: str = "float32"
    vocabulary: int = 128_256
    width: int = 512
    chunk: int = 128
    module: bool = False
    """Whether the head is taken for a module whose inside is not known."""

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
        torch.nn.Parameter(weight, requires_grad=not case.frozen),
        before,
        weight_before.detach(),
        labels,
        logps,
    )


def make(side: str, case: Case) -> Call:
    """A call that goes forward and backward once; gradients of the last time are gone before."""
    x, ways = inputs(case), CutRules()  # which a trainer keeps from step to step

    def call() -> Any:
        x.hidden.grad = x.weight.grad = None
        loss = naive_loss(case, x) if side == "naive" else our_loss(case, x, ways)
        loss.backward()

    return call


def make_products(case: Case) -> Call:
    """The matrix products alone: logits, the model before's, and both gradients."""
    x = inputs(case)
    states, before = (t.detach()[:, :-1].flatten(0, 1) for t in (x.hidden, x.before))
    weight = x.weight.detach()
    head = torch.zeros_like(weight)
    gradient = torch.randn(case.chunk, case.vocabulary, dtype=weight.dtype)

    def call() -> None:
        for start in range(0, len(states), case.chunk):
            rows = slice(start, start + case.chunk)
            states[rows] @ weight.T
            if case.loss in WITH_TEACHER:
                before[rows] @ x.weight_before.T
            gradient @ weight
            if not case.frozen:
                head.addmm_(gradient.T, states[rows])

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
    if case.loss == "SimNPO":
        return naive.simnpo(logits, x.labels, beta=BETA)
    if case.loss == "DPO":
        sides = zip(*(t.chunk(2) for t in (logits, x.labels, x.logps)), strict=True)
        return naive.dpo(*sides, beta=BETA)
    loss = {"Unilogit": naive.unilogit, "hinge": naive.inverted_hinge, "CE": naive.cross_entropy}
    return loss[case.loss](logits, x.labels)


def our_loss(case: Case, x: Inputs, ways: CutRules | None = None) -> Tensor:
    """The method's own term, by the vocabulary step."""
    seen = rows(case, x, slice(None))
    if case.loss == "DPO":
        half = ANSWERS // 2
        wanted, seen = rows(case, x, slice(half)), rows(case, x, slice(half, None))
        seen = seen.__class__(**{**vars(seen), "alternate": wanted})

    def value(part: AnswerRows, first: int) -> Tensor:
        if case.loss in RETAIN:
            term = retain_term(RETAIN[case.loss], part, 1.0)
        else:
            (term,) = METHODS[case.loss].forget(part)
        return term.values.sum() / (
            seen.num_answers if term.over == "answers" else len(seen.target)
        )

    head = Head(x.weight, module=_module(x.weight)) if case.module else Head(x.weight)
    group = RowGroup("forget", seen, value)
    before, ways = Head(x.weight_before), ways or CutRules()
    return chunked_loss([group], head, before, limit=case.chunk, ways=ways)


def rows(case: Case, x: Inputs, answers: slice) -> AnswerRows:
    """What the trainer gives: the supervised rows of final states."""
    hidden, labels = x.hidden[answers, :-1], x.labels[answers, 1:]
    count, length = labels.shape
    return AnswerRows(
        logits=hidden.flatten(0, 1),
        target=labels.flatten(),
        answer_index=torch.arange(count).repeat_interleave(length),
        num_answers=count,
        reference_logits=x.before[answers, :-1].flatten(0, 1) if _teacher(case) else None,
        reference_logps=x.logps[answers],
    )


def _teacher(case: Case) -> bool:
    return case.loss in WITH_TEACHER


def _module(weight: Tensor) -> torch.nn.Module:
    """Its weight is this very parameter, so that the gradient arrives there."""
    linear = torch.nn.Linear(1, 1, bias=False)
    linear.weight = weight  # type: ignore[assignment]
    return linear
