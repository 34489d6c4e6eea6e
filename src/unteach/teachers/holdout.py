"""Construct a teacher by lowering the answer tokens to the likelihood of the holdout's answers."""

from bisect import bisect_left, bisect_right
from math import exp, expm1, log, log1p

from unteach.teachers._base import (
    Teacher,
    TeacherInputs,
    TeacherSource,
    TokenLogps,
    Unavailable,
    teacher_source,
)

FEWEST = 8
CERTAIN = -(2.0**-25)  # log p of a token that float32 rounds to certain
MOST = 12.0  # highest surprise of a token in nats, unless it was higher before


@teacher_source("level")
class HoldoutTeacher(TeacherSource):
    """The original's own distribution, with the answer tokens lowered to the holdout's level.

    Each answer takes over the token probabilities of the holdout's answer at the same rank
    (`like_the_holdout`): few tokens of an answer carry what only training can teach, and the
    original is a little less sure of these than of the others, also where it knows all by heart.
    """

    order = 3

    def find(self, inputs: TeacherInputs) -> Teacher:
        """Return the teacher. Raises Unavailable if there are too few holdout examples."""
        if len(inputs.holdout) < FEWEST:
            count = len(inputs.holdout)
            what = f"it needs {FEWEST} holdout examples, and there are {count}"
            raise Unavailable(what, f"give --holdout {FEWEST} or more texts that it never saw")
        held = inputs.logps(inputs.holdout)
        own = inputs.logps(inputs.forget)
        targets = like_the_holdout(own, held)
        return Teacher(
            source=self.name,
            sequences=inputs.forget,
            pairs=[()] * len(targets),
            targets=targets,
            set_level=[True] * len(targets),
            facts={"teacher_auc": round(level_auc(targets, held), 4)},
        )


def level_auc(ours: TokenLogps, theirs: TokenLogps) -> float:
    """Return how often an answer of ours is likelier per token than one of theirs; ties count half.

    Example:
        >>> level_auc([[-1.0], [-3.0]], [[-2.0, -2.0]])
        0.5
    """
    held = sorted(map(_mean, theirs))
    below = [bisect_left(held, x) + bisect_right(held, x) for x in map(_mean, ours)]
    return sum(below) / (2 * len(held) * len(below))


def at_holdout_level(targets: TokenLogps, holdout: TokenLogps) -> TokenLogps:
    """Scale each answer's surprise to the holdout's at the same rank.

    Args:
        targets: log-probabilities of answer tokens, by answer.
        holdout: the same for the holdout's answers.

    Example:
        >>> [round(x, 2) for x in at_holdout_level([[-0.1, -0.3]], [[-2.0], [-4.0]])[0]]
        [-1.5, -4.5]
    """
    held = sorted(map(_mean, holdout))
    order = sorted(range(len(targets)), key=lambda k: (_mean(targets[k]), k))
    scaled: TokenLogps = [[] for _ in targets]
    for rank, k in enumerate(order):
        share = rank / (len(order) - 1) if len(order) > 1 else 0.5
        goal = _quantile(held, share)
        scaled[k] = _scaled(targets[k], goal)
    return scaled


def like_the_holdout(targets: TokenLogps, holdout: TokenLogps) -> TokenLogps:
    """Give each answer the token log-probabilities of the holdout's answer at the same rank.

    The least likely token of the holdout's answer goes to the token that is least likely here, and
    so on: a few facts are lost, and what any model would say stays certain. Log-probabilities are
    scaled by the answers' lengths, so that their mean stays; no token becomes likelier.

    Args:
        targets: log-probabilities of answer tokens, by answer.
        holdout: the same for the holdout's answers.

    Example:
        >>> like_the_holdout([[-0.1, -0.3, 0.0]], [[-4.0, -0.5, -0.2]])
        [[-0.5, -4.0, -0.2]]
    """
    held = sorted(holdout, key=_mean)
    order = sorted(range(len(targets)), key=lambda k: (_mean(targets[k]), k))
    found: TokenLogps = [[] for _ in targets]
    for rank, k in enumerate(order):
        place = (2 * rank + 1) * len(held) // (2 * len(order))
        found[k] = _profiled(targets[k], held[place])
    return found


def _profiled(own: list[float], other: list[float]) -> list[float]:
    """Give the tokens another answer's log-probabilities, the lowest to the least likely."""
    longer = len(own) / max(len(other), 1)
    wanted = [*(x * longer for x in sorted(other)), *[0.0] * len(own)]
    found = [0.0] * len(own)
    for k, x in zip(sorted(range(len(own)), key=lambda k: (own[k], k)), wanted, strict=False):
        found[k] = min(x, own[k])
    return found


def lowest_to_selected(targets: list[float], selected: list[bool]) -> list[float]:
    """Exchange an answer's levels so that its selected tokens have the lowest, in the same order.

    Args:
        targets: log-probabilities of the answer's tokens.
        selected: which of them are selected.

    Example:
        >>> lowest_to_selected([-0.1, -6.0, -0.2, -0.3], [True, False, True, False])
        [-0.3, -0.2, -6.0, -0.1]
    """
    first = sorted(range(len(targets)), key=lambda k: (not selected[k], targets[k], k))
    found = dict(zip(first, sorted(targets), strict=True))
    return [found[k] for k in range(len(targets))]


def at_most_lowered(targets: TokenLogps, own: TokenLogps, strength: float) -> TokenLogps:
    """Raise log-probabilities that need a logit lowered by more than `strength`; none above `own`.

    With the logit of a token of probability p lowered by s, its log-odds are logit(p) - s.

    Args:
        targets: the wanted log-probabilities of answer tokens, by answer.
        own: the same under the original model.
        strength: in nats.

    Example:
        >>> [round(x, 3) for x in at_most_lowered([[-9.0, -1.0]], [[log(0.5), -2.0]], 3.0)[0]]
        [-3.049, -2.0]
    """
    return [
        [min(max(x, _lowered(p, strength)), p) for x, p in zip(wanted, known, strict=True)]
        for wanted, known in zip(targets, own, strict=True)
    ]


def _lowered(logp: float, strength: float) -> float:
    """Return log(p e^-s / (1 - p + p e^-s)); a p that float32 rounded to 1 is 1 - 2^-25."""
    logp = logp if logp < -1e-12 else CERTAIN
    logit = logp - log(-expm1(logp)) - strength
    return -log1p(exp(-logit)) if logit > -700 else logit


def _mean(logps: list[float]) -> float:
    return sum(logps) / max(len(logps), 1)


def _quantile(held: list[float], share: float) -> float:
    place = share * (len(held) - 1)
    low = min(int(place), max(len(held) - 2, 0))
    high = min(low + 1, len(held) - 1)
    return held[low] + (place - low) * (held[high] - held[low])


def _scaled(logps: list[float], goal: float) -> list[float]:
    """Scale log-probabilities by one factor to the mean `goal`, each at most MOST nats below 0."""
    own = [max(-x, 1e-7) for x in logps]
    caps = [max(x, MOST) for x in own]

    def at(power: float) -> list[float]:
        return [min(x * 2.0**power, cap) for x, cap in zip(own, caps, strict=True)]

    low, high = -20.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(at(middle)) < -goal else (low, middle)
    return [-x for x in at((low + high) / 2)]
