"""Compare the right answer of each example with its wrong ones: truth ratio and choice.

Computed before rounding, since the ratios depend on small differences of log-probabilities.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from unteach.types import Row

LEAST = -1e6  # nats per token; used for a probability of 0
MOST = 700.0  # largest difference in nats; exp overflows above 709


def beside_wrong(rows: Iterable[Row]) -> list[Row]:
    """The rows of a group, with truth ratios and choice added to answers that have wrong ones.

    `truth_ratio` is R: the mean probability of the wrong answers over that of the right one. The
    right answer is the paraphrase where there is one. Probabilities are per token, so that lengths
    do not matter. Computed in log space, so that a broken model has a ratio too; a probability of 0
    counts as exp(-1e6).

    The mean is arithmetic, as in equation 1 of TOFU (arXiv 2401.06121) and, for model utility, in
    `utils.py` of its code. For forget quality TOFU's code averages the losses, which gives the
    geometric mean; so does `aggregate_eval_stat.py` for model utility, and OpenUnlearning
    everywhere (`truth_ratio_geometric`). We follow the equation.

    `choice` is p(right) / (p(right) + sum of p(wrong)), TOFU's probability of real authors and
    world facts (section 2.2.1); here the right answer is the given one, not its paraphrase.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=math.log(0.5))] + [
        ...     Row(id="a", kind="perturbed", index=k, tokens=1, logp=math.log(p))
        ...     for k, p in enumerate((0.1, 0.4))]
        >>> found, *_ = beside_wrong(rows)
        >>> round(found.truth_ratio, 4), round(found.truth_ratio_geometric, 4)
        (0.5, 0.4)
        >>> round(found.choice, 4)  # 0.5 / (0.5 + 0.1 + 0.4)
        0.5
    """
    rows = list(rows)
    of: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.logp is not None:
            # Unlike max, this keeps a nan.
            of[row.id, row.kind].append(LEAST if row.logp < LEAST else row.logp)
    return [_filled(row, of) if row.kind == "answer" else row for row in rows]


def _filled(row: Row, of: dict[tuple[str, str], list[float]]) -> Row:
    own, wrong = of.get((row.id, "answer")), of.get((row.id, "perturbed"))
    right = of.get((row.id, "paraphrase"), own)
    if not (own and right and wrong):
        return row
    return replace(
        row,
        truth_ratio=_ratio(_arithmetic(wrong) - right[0]),
        truth_ratio_geometric=_ratio(sum(wrong) / len(wrong) - right[0]),
        choice=_share(own[0], wrong),
    )


def _ratio(gap: float) -> float:
    return math.exp(min(max(gap, -MOST), MOST))


def _arithmetic(logps: list[float]) -> float:
    top = max(logps)
    return top + math.log(sum(math.exp(logp - top) for logp in logps) / len(logps))


def _share(right: float, wrong: list[float]) -> float:
    """exp(right) / (exp(right) + sum of exp(wrong)), without underflow.

    Example:
        >>> _share(-2000.0, [-2000.0])
        0.5
    """
    top = max(right, *wrong)
    return math.exp(right - top) / sum(math.exp(logp - top) for logp in (right, *wrong))
