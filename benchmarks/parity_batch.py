"""The batch on which every method is compared with its formula, and its rows in plain floats."""

from dataclasses import replace
from typing import NamedTuple

import plain
import torch
from torch import Tensor

from unteach.losses.answer_rows import AnswerRows

LENGTHS, WIDTH = (5, 1, 8, 3, 7), 16
ODDS = (-14.0, -6.0, -3.0, 0.0, 2.0, 5.0, 10.0)  # of the answer tokens: from forgotten to known


def number(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def batch(vocabulary: int, dtype: torch.dtype) -> dict[str, AnswerRows]:
    """Random rows, rounded to a dtype and given in it; what requires grad is a leaf."""
    groups = {}
    for seed, name in enumerate(("forget", "retain", "alternate", "prompt")):
        g = torch.Generator().manual_seed(seed)
        answer = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
        n = len(answer)
        random = [torch.randn(n, vocabulary, generator=g, dtype=torch.float64) for _ in "zt"]
        target, refusal = torch.randint(vocabulary, (2, n), generator=g)
        for z, shift in zip(random, (0, 3), strict=True):
            odds = number(ODDS).roll(shift).repeat(n)[:n]
            rest = z.scatter(1, target[:, None], -torch.inf).logsumexp(1)
            z.scatter_(1, target[:, None], (rest + odds)[:, None])
        z, t = (x.to(dtype) for x in random)
        states = 3 * torch.randn(2, n, WIDTH, generator=g, dtype=torch.float64).to(dtype)
        chosen = torch.rand(n, generator=g) < 0.4
        before = [
            plain.log_p(*row) for row in zip(t.double().tolist(), target.tolist(), strict=True)
        ]
        sums = torch.zeros(len(LENGTHS), dtype=torch.float64)
        sums.index_add_(0, answer, number(before))
        groups[name] = AnswerRows(
            logits=z.requires_grad_(),
            target=target,
            answer_index=answer,
            num_answers=len(LENGTHS),
            reference_logits=t,
            reference_logps=sums.to(torch.promote_types(dtype, torch.float32)),
            selected=chosen,
            ignored=~chosen & (torch.rand(n, generator=g) < 0.2),
            position=torch.cat([torch.arange(k) for k in LENGTHS]),
            refusal=refusal,
            hidden=states[0].clone().requires_grad_(),
            reference_hidden=states[1].clone(),
            teacher_logits=t,
            teacher_pairs=torch.tensor([[[3, 8], [8, 5]]]).expand(n, -1, -1),
            teacher_targets=torch.where(
                torch.arange(n) % 3 == 0, torch.nan, -0.3 * (1 + torch.arange(n) % 20)
            ),
        )
    groups["forget"] = replace(
        groups["forget"], alternate=groups["alternate"], prompt=groups["prompt"]
    )
    return groups


def leaves(groups: dict[str, AnswerRows]) -> dict[str, Tensor]:
    found = {f"{name} logits": seen.logits for name, seen in groups.items()}
    return found | {f"{name} hidden": groups[name].hidden for name in ("forget", "retain")}


class Row(NamedTuple):
    z: list[float]
    t: list[float]
    y: int
    refusal: int
    h: list[float]
    before: list[float]
    taught: list[float]
    spread: float  # mean entropy over its answer


def rows(s: AnswerRows) -> list[Row]:
    tensors = (
        s.logits,
        s.require_reference_logits(),
        s.target,
        s.refusal,
        s.hidden,
        s.reference_hidden,
    )
    given = (s.teacher_logits, s.teacher_pairs, s.target, s.teacher_targets)
    taught = [plain.teacher(*x) for x in zip(*(t.tolist() for t in given), strict=True)]
    found = zip(*(t.tolist() for t in tensors), taught, spreads(s), strict=True)
    return [Row(*x) for x in found]


def spreads(s: AnswerRows) -> list[float]:
    """The mean entropy of each row's answer."""
    own = number([plain.entropy(z, 1.0)[0] for z in s.logits.tolist()])
    return [x.mean().item() for x in own.split(LENGTHS) for _ in x]
