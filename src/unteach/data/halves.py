"""Split every file in two halves of whole subjects: a search reads one, the other judges it."""

from unteach.data.calibration import FEW, first_half
from unteach.errors import Problem
from unteach.types import ROLES, Example

LEAST = {"forget": 8, "retain": 8, "holdout": FEW}
"""Examples that a file must have to be split; the holdout's first half also sets levels."""


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
