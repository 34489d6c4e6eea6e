"""Parts of the formulas: a mean over rows, and distributions of rows written naively."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from parity_batch import WIDTH, Row
from torch import Tensor

from unteach.losses import control_vector
from unteach.losses.answer_rows import AnswerRows


class Part(NamedTuple):
    """A mean over rows: its naive values, and value and gradient of one row in plain floats."""

    group: str
    naive: Callable[[AnswerRows], Tensor]
    exact: Callable[[Row], tuple[float, list[float]]]
    weight: float = 1.0
    where: Callable[[AnswerRows], Tensor] = lambda s: torch.ones(len(s.target), dtype=torch.bool)
    leaf: str = "logits"


def hit(s: AnswerRows, token: Tensor | None = None) -> Tensor:
    """Probability of the target."""
    token = s.target if token is None else token
    return s.logits.softmax(-1).gather(-1, token[:, None]).squeeze(-1)


def hot(s: AnswerRows) -> Tensor:
    return torch.nn.functional.one_hot(s.target, s.vocabulary).bool()


def divergence(p: Tensor, q: Tensor) -> Tensor:
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)


def shannon(p: Tensor, q: Tensor) -> Tensor:
    return (divergence(p, (p + q) / 2) + divergence(q, (p + q) / 2)) / 2


def uniform(s: AnswerRows, source: Tensor, share: Tensor | float) -> Tensor:
    """The target at a share of the mass, the others in their old ratios."""
    rest = source.detach().softmax(-1).masked_fill(hot(s), 0)
    share = torch.as_tensor(share, dtype=torch.float64).expand(len(s.target))[:, None]
    return torch.where(hot(s), share, rest / rest.sum(-1, keepdim=True) * (1 - share))


def lowered(s: AnswerRows, strength: float) -> Tensor:
    return (s.require_reference_logits() - strength * hot(s)).softmax(-1)


def struck(s: AnswerRows) -> Tensor:
    return s.logits.detach().masked_fill(hot(s), -torch.inf).softmax(-1)


def detached_satimp(s: AnswerRows) -> Tensor:
    return (hit(s) ** 5 * (1 - hit(s))).detach()


def policy(s: AnswerRows) -> Tensor:
    return s.logits.softmax(-1)


def original(s: AnswerRows) -> Tensor:
    return s.require_reference_logits().softmax(-1)


def goal() -> Tensor:
    """RMU's vector, which is drawn and so is given."""
    return control_vector(WIDTH, length=6.5, seed=0).double()[0]
