"""Construct a teacher as the mean over several strangers (targeted unlearning by name change)."""

from dataclasses import replace
from math import exp, log

from unteach.teachers._base import Teacher, TeacherInputs, Unavailable
from unteach.teachers.stranger import drawn

NAMES = "name whom the records are about in a `subject` column, as their texts name them"


def mean_over_strangers(inputs: TeacherInputs, count: int) -> Teacher:
    """Return a teacher that averages the original's distributions over several strangers.

    An example without a name keeps the original's distribution, so it is not forgotten;
    `facts["teacher_without_name"]` counts them.

    Args:
        inputs: with the forget examples.
        count: number of strangers per subject.

    Raises:
        Unavailable: no example has a name, or no other name has as many tokens.
    """
    try:
        draws = drawn(inputs, [f"{inputs.seed}/{k}" for k in range(count)])
    except Unavailable as error:
        raise Unavailable(str(error), NAMES) from None
    each = [inputs.logps(sequences) for sequences, _, _ in draws]
    facts = {
        "teacher_without_name": sum(not pairs for pairs in draws[0].pairs),
        "teacher_strangers": count,
    }
    teachers = [
        Teacher(
            source="strangers",
            sequences=draw.sequences,
            pairs=draw.pairs,
            targets=targets,
            set_level=[False] * len(targets),
            names=draw.names,
        )
        for draw, targets in zip(draws, each, strict=True)
    ]
    mean = [[_mean(logps) for logps in zip(*own, strict=True)] for own in zip(*each, strict=True)]
    return replace(teachers[0], targets=mean, facts=facts, others=tuple(teachers[1:]))


def _mean(logps: tuple[float, ...]) -> float:
    """Return the log of the mean probability.

    Example:
        >>> round(exp(_mean((log(0.5), log(0.1)))), 6)
        0.3
    """
    top = max(logps)
    return top + log(sum(exp(x - top) for x in logps) / len(logps))
