"""Shorten a list of problems to the first few of each kind, and count the rest."""

import re
from collections import Counter, defaultdict
from dataclasses import replace

from unteach.errors import Problem

SHOWN = 5
MOST = 100  # problems of all kinds together


def shortened(problems: list[Problem]) -> list[Problem]:
    """Keep at most five problems of a kind and 100 in all; the fifth counts those left out.

    Problems are of one kind when their text and hint are equal except for numbers.

    Example:
        >>> many = [Problem(f"a.jsonl:{k}", f"is not JSON (column {k})") for k in range(1, 43)]
        >>> str(shortened(many)[-1])
        'a.jsonl:5: is not JSON (column 5) (and 37 more lines like this)'
    """
    kinds: dict[tuple, list[int]] = defaultdict(list)
    kept: list[Problem] = []
    more: Counter[int] = Counter()
    others: list[Problem] = []
    for problem in problems:
        same = kinds[problem.kind, re.sub(r"\d+", "#", problem.what), problem.hint]
        if len(same) == SHOWN:
            more[same[-1]] += 1
        elif len(kept) == MOST:
            others.append(problem)
        else:
            same.append(len(kept))
            kept.append(problem)
    for place, count in more.items():
        what = f"{kept[place].what} (and {count} more line{'s' * (count > 1)} like this)"
        kept[place] = replace(kept[place], what=what)
    if others:
        worst = min(others, key=lambda problem: ("request", "data", "note").index(problem.kind))
        what = f"is the first of {len(others)} more problems, of this and other kinds"
        kept.append(Problem(others[0].where, what, "", worst.kind))
    return kept
