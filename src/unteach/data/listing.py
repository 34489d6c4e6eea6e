"""The first few problems of each kind, and how many more there are."""

import re
from collections import defaultdict
from dataclasses import replace

from unteach.nouns import Problem

SHOWN = 5


def shortened(problems: list[Problem]) -> list[Problem]:
    """At most five problems of a kind, the fifth saying how many more follow.

    Of one kind are those that say and advise the same, but for numbers.

    Example:
        >>> many = [Problem(f"a.jsonl:{k}", f"is not JSON (column {k})") for k in range(1, 43)]
        >>> str(shortened(many)[-1])
        'a.jsonl:5: is not JSON (column 5) (and 37 more lines like this)'
    """
    kinds: dict[tuple, list[Problem]] = defaultdict(list)
    kept: list[Problem] = []
    for problem in problems:
        same = kinds[problem.kind, re.sub(r"\d+", "#", problem.what), problem.hint]
        same.append(problem)
        if len(same) <= SHOWN:
            kept.append(problem)
    for same in kinds.values():
        if len(same) > SHOWN:
            last = same[SHOWN - 1]
            what = f"{last.what} (and {len(same) - SHOWN} more lines like this)"
            kept[kept.index(last)] = replace(last, what=what)
    return kept
