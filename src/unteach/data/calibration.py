"""Split files in halves of whole subjects: one half calibrates or is searched, the other judges."""

from unteach.errors import Problem
from unteach.types import ROLES, Example, Sequence

FEW = 16
"""With fewer holdout examples, the same ones are used for calibration and evaluation."""
SMALLEST = 0.25
"""Smallest share of the examples that a half may have; otherwise subjects are split."""
LEAST = {"forget": 8, "retain": 8, "holdout": FEW}
"""Examples that a file must have for a search to read one half; the holdout also sets levels."""


def calibrating_half(
    groups: dict[str, list[Example]], sequences: dict[str, list[Sequence]]
) -> tuple[list[Sequence], list[Problem]]:
    """Return the first half of the holdout sequences; leave only the second half in `groups`.

    An evaluation on the calibration examples would be biased. The halves follow the order of the
    file, since examples about one subject are mostly adjacent; where the data has subjects, no
    subject is in both halves.
    """
    examples = groups["holdout"]
    if len(examples) < FEW:
        what = f"its {len(examples)} examples set the level in training and judge the result"
        hint = f"give at least {FEW}, of which half will judge"
        return sequences["holdout"], [Problem("--holdout", what, hint, "note")]
    first = first_half(examples)
    cut = {example.id for example in examples[: len(examples) // 2]}
    how = f"the first {len(cut)} examples set" if first == cut else f"{len(first)} examples set"
    halves: tuple[list[Sequence], list[Sequence]] = [], []
    for sequence in sequences["holdout"]:
        halves[sequence.id.partition("/")[0] not in first].append(sequence)
    groups["holdout"] = [example for example in examples if example.id not in first]
    sequences["holdout"] = halves[1]
    what = f"{how} the level in training, the others judge the result"
    return halves[0], [Problem("--holdout", what, "", "note")]


def second_halves(
    groups: dict[str, list[Example]],
) -> tuple[dict[str, list[Example]], list[Problem]]:
    """Leave only the second half of the forget and the retain examples in `groups`.

    The holdout is left whole: `calibrating_half` takes its first half away in every run, by the
    same rule. So what is left in `groups` after both was never read by a search.

    Returns:
        All examples by role as they were, and the problems of files that are too small.
    """
    whole = {role: groups[role] for role in ROLES if groups.get(role)}
    problems = []
    for role, examples in whole.items():
        if len(examples) < LEAST[role]:
            what = f"has {len(examples)} examples, and evaluate.half wants a half of them to judge"
            hint = f"give at least {LEAST[role]}, or set evaluate.half=both"
            problems.append(Problem(f"--{role}", what, hint, "request"))
        elif role != "holdout":
            first = first_half(examples)
            groups[role] = [example for example in examples if example.id not in first]
    return whole, problems


def first_half(examples: list[Example]) -> set[str]:
    """Return ids of about half of the examples: whole subjects, or the first half of the file.

    Example:
        >>> rows = [Example(id=f"a-{k}", where="", kind="text", text="x") for k in range(4)]
        >>> sorted(first_half(rows))
        ['a-0', 'a-1']
    """
    return _whole_subjects(examples) or {example.id for example in examples[: len(examples) // 2]}


def _whole_subjects(examples: list[Example]) -> set[str]:
    """Return ids of about half of the examples, such that no subject is in both halves.

    Empty where the data has no subjects, or one subject covers most examples.
    """
    if not any(example.subject for example in examples):
        return set()
    best: list[Example] = []
    taken: list[Example] = []
    for members in grouped_by_subject(examples):
        taken = [*taken, *members]
        if abs(len(taken) - len(examples) / 2) < abs(len(best) - len(examples) / 2):
            best = taken
    share = len(best) / len(examples)
    return {example.id for example in best} if SMALLEST <= share <= 1 - SMALLEST else set()


def grouped_by_subject(examples: list[Example]) -> list[list[Example]]:
    """Group the examples so that no two groups share a name, ordered by first example."""
    groups: list[list[Example]] = []
    place: dict[str, list[Example]] = {}  # group of each name
    for example in examples:
        names = [name.casefold() for name in example.subject]
        current = [example]
        joined = list({id(place[name]): place[name] for name in names if name in place}.values())
        if joined:
            first, *rest = sorted(joined, key=lambda group: examples.index(group[0]))
            for group in rest:
                first += group
                groups = [other for other in groups if other is not group]
                place |= {name: first for name, members in place.items() if members is group}
            first += current
            current = first
        else:
            groups.append(current)
        place |= dict.fromkeys(names, current)
    return groups
