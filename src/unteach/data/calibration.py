"""The holdout in two halves: one sets levels in training, the other judges the result."""

from unteach.errors import Problem
from unteach.types import Example, Sequence

FEW = 16
"""Holdout examples below which the same ones calibrate and judge."""
LEAST = 0.25
"""Share of the examples that a half has at least; else subjects are split."""


def calibrating_half(
    groups: dict[str, list[Example]], sequences: dict[str, list[Sequence]]
) -> tuple[list[Sequence], list[Problem]]:
    """The first half of the holdout in tokens; only the second half stays to judge the result.

    What sets the level in training would agree with the result by itself. Halves are taken in the
    file's order, since examples about one subject mostly stand together; where the data name the
    subjects, no subject is in both.
    """
    examples = groups["holdout"]
    if len(examples) < FEW:
        what = f"its {len(examples)} examples set the level in training and judge the result"
        hint = f"give at least {FEW}, of which half will judge"
        return sequences["holdout"], [Problem("--holdout", what, hint, "note")]
    first = _whole_subjects(examples)
    how = f"{len(first)} examples set" if first else f"the first {len(examples) // 2} examples set"
    first = first or {example.id for example in examples[: len(examples) // 2]}
    halves: tuple[list[Sequence], list[Sequence]] = [], []
    for sequence in sequences["holdout"]:
        halves[sequence.id.partition("/")[0] not in first].append(sequence)
    groups["holdout"] = [example for example in examples if example.id not in first]
    sequences["holdout"] = halves[1]
    what = f"{how} the level in training, the others judge the result"
    return halves[0], [Problem("--holdout", what, "", "note")]


def _whole_subjects(examples: list[Example]) -> set[str]:
    """Ids of about half of the examples, such that no subject is inside and outside.

    Empty where the data name no subject, or one that most examples are about.
    """
    if not any(example.subject for example in examples):
        return set()
    best: list[Example] = []
    taken: list[Example] = []
    for members in _alike(examples):
        taken = [*taken, *members]
        if abs(len(taken) - len(examples) / 2) < abs(len(best) - len(examples) / 2):
            best = taken
    share = len(best) / len(examples)
    return {example.id for example in best} if LEAST <= share <= 1 - LEAST else set()


def _alike(examples: list[Example]) -> list[list[Example]]:
    """The examples in groups that share no name, in the order of the first of each."""
    groups: list[list[Example]] = []
    place: dict[str, list[Example]] = {}  # from a name to its group
    for example in examples:
        names = [name.casefold() for name in example.subject]
        mine = [example]
        joined = list({id(place[name]): place[name] for name in names if name in place}.values())
        if joined:
            first, *rest = sorted(joined, key=lambda group: examples.index(group[0]))
            for group in rest:
                first += group
                groups = [other for other in groups if other is not group]
                place |= {name: first for name, theirs in place.items() if theirs is group}
            first += mine
            mine = first
        else:
            groups.append(mine)
        place |= dict.fromkeys(names, mine)
    return groups
