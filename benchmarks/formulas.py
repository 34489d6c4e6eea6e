"""Every method's loss written twice more: naively for autograd, and in plain floats by row."""

import math
from collections.abc import Callable
from typing import NamedTuple

import plain
import torch
from parity_batch import LENGTHS, WIDTH, Row, leaves, number, rows
from torch import Tensor

from unteach.losses import control_vector
from unteach.losses.answer_rows import AnswerRows
from unteach.methods import METHODS


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


def uniform(s: AnswerRows, source: Tensor) -> Tensor:
    p = source.detach().softmax(-1)
    rest = p.masked_fill(hot(s), 0)
    return torch.where(
        hot(s), 1 / s.vocabulary, rest / rest.sum(-1, keepdim=True) * (1 - 1 / s.vocabulary)
    )


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


KL = Part(
    "retain",
    lambda s: divergence(original(s), policy(s)),
    lambda r: plain.kl_to_reference(r.z, r.t),
)
ASCENT = Part("forget", lambda s: hit(s).log(), lambda r: plain.ascent(r.z, r.y))
WGA = Part(
    "forget",
    lambda s: hit(s).detach() * hit(s).log(),
    lambda r: plain.weighted_ascent(r.z, r.y, 1.0),
)
HOLD = KL._replace(group="forget", weight=1.0, where=lambda s: ~s.selected & ~s.ignored)
CEU = Part(
    "forget",
    lambda s: -torch.where(hot(s), 0, struck(s) * policy(s).log()).sum(-1),
    lambda r: plain.ce_u(r.z, r.y),
)
RETAIN = {
    "nll": Part("retain", lambda s: -hit(s).log(), lambda r: plain.cross_entropy(r.z, r.y)),
    "kl": KL,
    "jsd": Part(
        "retain",
        lambda s: shannon(policy(s), original(s)),
        lambda r: plain.jensen_shannon(r.z, r.t),
    ),
    "hidden": Part(
        "retain",
        lambda s: ((s.hidden - s.reference_hidden) ** 2).mean(-1),
        lambda r: plain.squared_distance(r.h, r.before),
        leaf="hidden",
    ),
}


def capped(r: Row) -> tuple[float, list[float]]:
    value, gradient = plain.ascent(r.z, r.y)
    return (value, gradient) if value >= -12 else (-12.0, [0.0] * len(gradient))


def rivals(s: AnswerRows) -> Tensor:
    """Margins against the ten likeliest others."""
    own = s.logits.gather(-1, s.target[:, None]).squeeze(-1)
    return own - s.logits.masked_fill(hot(s), -torch.inf).topk(10).values.logsumexp(-1)


def flattened(s: AnswerRows) -> Tensor:
    """Variance over the original's fifty likeliest tokens."""
    held = s.logits.gather(-1, s.require_reference_logits().topk(min(50, s.vocabulary)).indices)
    return ((held - held.mean(-1, keepdim=True)) ** 2).mean(-1)


def spread(s: AnswerRows) -> Tensor:
    """Entropies, a weight."""
    return torch.special.entr(policy(s)).sum(-1).detach()


def spread_of_answers(s: AnswerRows) -> Tensor:
    """The mean entropy of each row's answer, as a divisor."""
    parts = spread(s).split(LENGTHS)
    return torch.cat([part.mean().expand(len(part)) for part in parts])


def undial(strength: float = 30.0) -> Part:
    return Part(
        "forget",
        lambda s: -(lowered(s, strength) * policy(s).log()).sum(-1),
        lambda r: plain.undial(r.z, r.t, r.y, strength),
    )


def likeliest(row: Row) -> int:
    """The teacher's likeliest token."""
    return max(range(len(row.taught)), key=row.taught.__getitem__)


def distil(weight: float) -> Part:
    def naive(s: AnswerRows) -> Tensor:
        q = number([row.taught for row in rows(s)])
        wanted = q.gather(1, s.target[:, None])[:, 0]
        apart = torch.nn.functional.huber_loss(hit(s).log(), wanted, reduction="none")
        return divergence(q.exp(), policy(s)) + weight * apart

    return Part("forget", naive, lambda r: plain.distil(r.z, r.taught, r.y, weight))


TOKENS: dict[str, list[Part]] = {
    "ascent": [ASCENT],
    "graddiff": [ASCENT],
    "kl-min": [ASCENT],
    "task-vector": [
        Part("forget", lambda s: -hit(s).log(), lambda r: plain.cross_entropy(r.z, r.y))
    ],
    "idk": [Part("alternate", lambda s: -hit(s).log(), lambda r: plain.cross_entropy(r.z, r.y))],
    "wga": [WGA],
    "satimp": [
        Part(
            "forget",
            lambda s: detached_satimp(s) * hit(s).log(),
            lambda r: plain.satimp(r.z, r.y, 5.0, 1.0),
        )
    ],
    "ce-u": [CEU._replace(where=lambda s: s.position > 0)],
    "ce-u skip_first=False": [CEU],
    "jensun": [
        Part(
            "forget",
            lambda s: shannon(
                policy(s), torch.nn.functional.one_hot(s.refusal, s.vocabulary).double()
            ),
            lambda r: plain.jensen_shannon_to_token(r.z, r.refusal),
        )
    ],
    "pdu": [
        Part(
            "forget",
            lambda s: (s.logits.amax(-1) - s.logits.mean(-1)) ** 2,
            lambda r: plain.flattening(r.z),
        )
    ],
    "rmu": [
        Part(
            "forget",
            lambda s: ((s.hidden - goal()) ** 2).mean(-1),
            lambda r: plain.squared_distance(r.h, goal().tolist()),
            leaf="hidden",
        )
    ],
    "loku": [
        Part(
            "forget",
            lambda s: 1 + hit(s) - policy(s).masked_fill(hot(s), 0).amax(-1),
            lambda r: plain.inverted_hinge(r.z, r.y),
        )
    ],
    "retrain": [
        Part("forget", lambda s: -hit(s).log(), lambda r: plain.cross_entropy(r.z, r.y)),
    ],
    "whp": [
        Part(
            "forget",
            lambda s: divergence(number([row.taught for row in rows(s)]).exp(), policy(s)),
            lambda r: plain.distil(r.z, r.taught, r.y, 0.0),
        ),
    ],
    "whp towards=likeliest": [
        Part(
            "forget",
            lambda s: -hit(s, torch.tensor([likeliest(row) for row in rows(s)])).log(),
            lambda r: plain.cross_entropy(r.z, likeliest(r)),
        ),
    ],
    "unseen": [distil(0.3)],
    "masc": [
        Part(
            "forget",
            lambda s: (rivals(s) - math.log(7 / 3) + 0.25).relu() / 0.25,
            lambda r: plain.buffered_hinge(r.z, r.y, 10, math.log(7 / 3), 0.25),
        )
    ],
    "palu": [
        Part(
            "forget",
            flattened,
            lambda r: plain.top_flattening(r.z, r.t, 50),
            where=lambda s: s.selected,
        ),
        HOLD._replace(weight=1.0),
    ],
    "etw": [
        Part(
            "forget",
            lambda s: spread(s) / spread_of_answers(s) * hit(s).log(),
            lambda r: plain.entropy_weighted_ascent(r.z, r.y, 1.0, r.spread),
        )
    ],
    "etw normalise=vocabulary": [
        Part(
            "forget",
            lambda s: spread(s) / math.log(s.vocabulary) * hit(s).log(),
            lambda r: plain.entropy_weighted_ascent(r.z, r.y, 1.0, math.log(len(r.z))),
        )
    ],
    "undial": [undial()],
    "undial level=holdout": [distil(1.0)],
    "undial prompt_distillation=1.0": [undial(), KL._replace(group="prompt")],
    "unilogit": [
        Part(
            "forget",
            lambda s: divergence(policy(s), uniform(s, s.logits)),
            lambda r: plain.unilogit(r.z, r.y),
        )
    ],
    "unilogit direction=forward": [
        Part(
            "forget",
            lambda s: divergence(uniform(s, s.logits), policy(s)),
            lambda r: plain.unilogit_forward(r.z, r.y),
        )
    ],
    "unilogit target=original": [
        Part(
            "forget",
            lambda s: divergence(policy(s), uniform(s, s.require_reference_logits())),
            lambda r: plain.unilogit_to_reference(r.z, r.t, r.y),
        )
    ],
    "unilogit target=original direction=forward": [
        Part(
            "forget",
            lambda s: divergence(uniform(s, s.require_reference_logits()), policy(s)),
            lambda r: plain.unilogit_to_reference_forward(r.z, r.t, r.y),
        )
    ],
    "dto": [WGA._replace(where=lambda s: s.selected), HOLD],
    "dto objective=ascent": [ASCENT._replace(where=lambda s: s.selected), HOLD],
    "dto objective=ascent ceiling=12.0": [
        Part("forget", lambda s: hit(s).log().clamp(min=-12), capped, where=lambda s: s.selected),
        HOLD,
    ],
    "dto objective=unlikelihood": [
        Part(
            "forget",
            lambda s: -(1 - hit(s)).log(),
            lambda r: plain.unlikelihood(r.z, r.y),
            where=lambda s: s.selected,
        ),
        HOLD,
    ],
    "undial focus=informative": [undial()._replace(where=lambda s: s.selected)],
}
PREFERENCES = ("dpo", "idk-dpo", "altpo")
OF_ANSWERS = ("npo", "simnpo", *PREFERENCES)  # their values are of whole answers


def naive(name: str, key: str, groups: dict[str, AnswerRows]) -> Tensor:
    """The loss over the whole vocabulary, as one would write it down; for autograd in float64."""
    forget, other = groups["forget"], groups["alternate"]
    plan = METHODS.get(name).plan
    if name == "npo":
        loss = (
            2 / 0.1 * torch.log1p((whole(forget) - forget.require_reference_logps()).exp() ** 0.1)
        ).mean()
    elif name == "simnpo":
        lengths = torch.tensor(LENGTHS)
        loss = (2 / 4.5 * torch.log1p((whole(forget) / lengths).exp() ** 4.5)).mean()
    elif name in PREFERENCES:
        ratio = (whole(forget) - forget.require_reference_logps()) - (
            whole(other) - other.require_reference_logps()
        )
        loss = (2 / 0.1 * torch.log1p(ratio.exp() ** 0.1)).mean()
    else:
        loss = sum(mean(part, groups) for part in TOKENS[key])
    if plan.retain != "none":
        loss = loss + plan.retain_weight * mean(RETAIN[plan.retain], groups)
    return loss


def whole(s: AnswerRows) -> Tensor:
    """Log-probability of each answer."""
    return torch.stack([part.sum() for part in hit(s).log().split(LENGTHS)])


def mean(part: Part, groups: dict[str, AnswerRows]) -> Tensor:
    seen = groups[part.group]
    return part.weight * part.naive(seen)[part.where(seen)].mean()


def exact(name: str, key: str, groups: dict[str, AnswerRows]) -> tuple[list[list[float]], dict]:
    """Values of each term and gradient of each leaf, in plain floats."""
    plan = METHODS.get(name).plan
    gradients = {
        leaf: torch.zeros(x.shape, dtype=torch.float64) for leaf, x in leaves(groups).items()
    }
    values = []
    if key in TOKENS:
        values += [add(part, groups, gradients) for part in TOKENS[key]]
    elif name in OF_ANSWERS:
        values.append(answers(name, groups, gradients))
    else:
        raise KeyError(f"no formula of {key}: add it to TOKENS in benchmarks/formulas.py")
    if plan.retain != "none":
        kept = RETAIN[plan.retain]._replace(weight=plan.retain_weight)
        values.append(add(kept, groups, gradients))
    return values, gradients


def add(part: Part, groups: dict[str, AnswerRows], gradients: dict) -> list[float]:
    seen = groups[part.group]
    marks = part.where(seen).tolist()
    factor, values = part.weight / sum(marks), []
    for k, (row, marked) in enumerate(zip(rows(seen), marks, strict=True)):
        value, slope = part.exact(row) if marked else (0.0, None)
        values.append(value)
        if slope:
            gradients[f"{part.group} {part.leaf}"][k] += factor * number(slope)
    return values


def answers(name: str, groups: dict[str, AnswerRows], gradients: dict) -> list[float]:
    """NPO, SimNPO, DPO: the slope by the answer's log-probability, times that of its rows."""
    names = ("alternate", "forget") if name in PREFERENCES else ("forget",)
    logps = {}
    for group in names:
        parts = number([plain.log_p(r.z, r.y) for r in rows(groups[group])])
        logps[group] = [x.sum().item() for x in parts.split(LENGTHS)]
    values = []
    for k, length in enumerate(LENGTHS):
        now = [logps[g][k] for g in names]
        before = [groups[g].require_reference_logps()[k].item() for g in names]
        if name == "npo":
            value, *slopes = plain.npo(*now, *before, 0.1)
        elif name == "simnpo":
            value, *slopes = plain.simnpo(*now, length, 4.5, 0.0)
        else:
            value, slopes = plain.dpo(now[0], before[0], now[1], before[1], 0.1)
        values.append(value)
        for group, slope in zip(names, slopes, strict=True):
            start = sum(LENGTHS[:k])
            for i, row in list(enumerate(rows(groups[group])))[start : start + length]:
                found = plain.towards(row.z, row.y, slope / len(LENGTHS))
                gradients[f"{group} logits"][i] += number(found)
    return values
