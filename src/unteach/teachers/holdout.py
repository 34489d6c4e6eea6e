"""Construct a teacher by lowering the answer tokens to the likelihood of the holdout's answers."""

from bisect import bisect_left, bisect_right

from unteach.teachers._base import (
    Teacher,
    TeacherInputs,
    TeacherSource,
    TokenLogps,
    Unavailable,
    teacher_source,
)

FEWEST = 8
MOST = 12.0  # highest surprise of a token in nats, unless it was higher before


@teacher_source("level")
class HoldoutTeacher(TeacherSource):
    """The original's own distribution, with the answer tokens lowered to the holdout's level.

    Each answer's surprise (negative log-probability) is scaled to the holdout's at the same rank,
    so that the likeliest forget answer becomes as likely as the likeliest holdout answer. The
    ratios of surprise between the tokens of an answer stay the same.
    """

    order = 3

    def find(self, inputs: TeacherInputs) -> Teacher:
        """Return the teacher. Raises Unavailable if there are too few holdout examples."""
        if len(inputs.holdout) < FEWEST:
            count = len(inputs.holdout)
            raise Unavailable(f"it needs {FEWEST} holdout examples, and there are {count}")
        held = inputs.logps(inputs.holdout)
        own = inputs.logps(inputs.forget)
        targets = at_holdout_level(own, held)
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
