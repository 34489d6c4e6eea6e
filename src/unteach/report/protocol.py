"""Table of a score over several requests: MUSE's scalability and sustainability."""

from collections.abc import Sequence

from unteach.metrics.difference import difference
from unteach.report.grid import cell
from unteach.types import Score

HEADER = ["model", "utility", "since the first", "since the one before"]


def protocol(ordered: Sequence[tuple[str, Score]]) -> list[list[str]]:
    """A table of models in order, each compared with the first and with the one before it.

    Scalability is how utility falls with the size of a request: the original, then a model for
    each size, smallest first. Sustainability is how it falls with the number of requests: the
    original, then the model after each request (C5 and C6 of MUSE, arXiv 2407.06460).

    Args:
        ordered: label and utility of each model, the original first.

    Example:
        >>> first, then = Score(0.5, 9, 0.4, 0.6), Score(0.3, 9, 0.2, 0.4)
        >>> protocol([("original", first), ("request 1", then)])[2]
        ['request 1', '0.30 (0.20 to 0.40)', '-0.20 (-0.34 to -0.06)', '-0.20 (-0.34 to -0.06)']
    """
    lines = [HEADER]
    for k, (label, score) in enumerate(ordered):
        first = change(score, ordered[0][1]) if k else "-"
        last = change(score, ordered[k - 1][1]) if k else "-"
        lines.append([label, cell(score), first, last])
    return lines


def change(after: Score, before: Score) -> str:
    """The difference as text, with a remark if its interval contains 0.

    Example:
        >>> change(Score(0.5, 9, 0.4, 0.6), Score(0.45, 9, 0.4, 0.5))
        '0.05 (-0.06 to 0.16), may be chance'
    """
    gap = difference(after, before)
    inside = gap.low is not None and gap.high is not None and gap.low <= 0 <= gap.high
    return cell(gap) + (", may be chance" if inside else "")
