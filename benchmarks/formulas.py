"""Every method's loss written twice more: naively for autograd, and in plain floats by row."""

import math
from collections.abc import Callable

import plain
import torch
from formula_parts import (
    Part,
    detached_satimp,
    divergence,
    goal,
    hit,
    hot,
    lowered,
    original,
    policy,
    shannon,
    struck,
    uniform,
)
from parity_batch import LENGTHS, Row, leaves, number, rows
from torch import Tensor

from unteach.losses.answer_rows import AnswerRows
from unteach.methods import METHODS

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


def levels(s: AnswerRows) -> Tensor:
    """The answer tokens' log-probabilities under the teacher."""
    return number([row.taught[row.y] for row in rows(s)])


def apart(s: AnswerRows) -> Tensor:
    return torch.nn.functional.huber_loss(hit(s).log(), levels(s), reduction="none")


def leveled(r: Row) -> tuple[float, list[float]]:
    return plain.to_level(r.z, r.y, r.taught[r.y])


def distil(weight: float) -> Part:
    def naive(s: AnswerRows) -> Tensor:
        q = number([row.taught for row in rows(s)])
        return divergence(q.exp(), policy(s)) + weight * apart(s)

    return Part("forget", naive, lambda r: plain.distil(r.z, r.taught, r.y, weight))


def moved(
    equation: Callable[..., tuple[float, list[float]]],
    *,
    original: bool = False,
    forward: bool = False,
    level: bool = False,
) -> Part:
    """Unilogit: of the target at 1/V, or at its level with the term on its log-probability."""

    def naive(s: AnswerRows) -> Tensor:
        source = s.require_reference_logits() if original else s.logits
        label = uniform(s, source, levels(s).exp() if level else 1 / s.vocabulary)
        pair = (label, policy(s)) if forward else (policy(s), label)
        return divergence(*pair) + (apart(s) if level else 0)

    def exact(r: Row) -> tuple[float, list[float]]:
        given = (r.z, r.t, r.y) if original else (r.z, r.y)
        if not level:
            return equation(*given)
        parts = equation(*given, math.exp(r.taught[r.y])), leveled(r)
        return sum(v for v, _ in parts), [
            a + b for a, b in zip(*(g for _, g in parts), strict=True)
        ]

    return Part("forget", naive, exact)


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
    "unilogit": [moved(plain.unilogit)],
    "unilogit direction=forward": [moved(plain.unilogit_forward, forward=True)],
    "unilogit target=original": [moved(plain.unilogit_to_reference, original=True)],
    "unilogit target=original direction=forward": [
        moved(plain.unilogit_to_reference_forward, original=True, forward=True)
    ],
    "unilogit level=holdout": [moved(plain.unilogit, level=True)],
    "dto": [WGA._replace(where=lambda s: s.selected), HOLD],
    "dto objective=ascent": [ASCENT._replace(where=lambda s: s.selected), HOLD],
    "dto objective=ascent ceiling=12.0": [
        Part("forget", lambda s: hit(s).log().clamp(min=-12), capped, where=lambda s: s.selected),
        HOLD,
    ],
    "dto objective=level": [
        Part("forget", apart, leveled, where=lambda s: s.selected),
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
