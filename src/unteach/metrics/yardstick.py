"""Estimate from the holdout what the forget examples would score had they never been seen."""

import math
from collections.abc import Callable
from typing import Any

from unteach.metrics._values import attacked, shown
from unteach.metrics.intervals import Z, exponential, mean_score
from unteach.metrics.rows import Groups, mean_logp, scored
from unteach.metrics.truth_ratio import nearer, truth_ratios
from unteach.types import Row, Score

Numbers = dict[str, tuple[float, float]]  # example -> value and weight

NO_HOLDOUT = "no holdout set is given (texts like the forget set, never trained on)"


def never_seen(rows: Groups, *, original: Groups | None = None) -> dict[str, Score]:
    """Expected scores of the forget group if no model had seen it, by metric.

    Each has the expected value and a 95% prediction interval for sets of this size. The holdout
    stands for unseen texts, so the forget set should be like it: as long, as hard, about as many
    different things. If examples come in clusters (twenty about one person), the interval is too
    narrow.

    Args:
        rows: of the model.
        original: rows of the original model; its holdout is preferred, since unlearning may have
            damaged the model's own.

    Returns:
        Scores by metric; without a holdout set each is "not measurable".

    Example:
        >>> known = [Row(id=f"f{k}", tokens=1, logp=0.0) for k in range(9)]
        >>> other = [Row(id=f"h{k}", tokens=1, logp=-0.5 - k % 3) for k in range(9)]
        >>> found = never_seen({"forget": known, "holdout": other})["probability"]
        >>> round(found.value, 2), found.high < 1
        (0.3, True)
    """
    holdout = (original or rows).get("holdout", [])
    found = {}
    for name, (read, score) in READ.items():
        forget, others = read(rows.get("forget", [])), read(holdout)
        if not forget:
            continue
        if not others:
            why = NO_HOLDOUT if not holdout else "the holdout rows do not have it"
            found[name] = Score(None, note=f"not measurable: {why}")
        else:
            found[name] = score([others[id] for id in sorted(others)], len(forget))
    return found


def predicted(
    pairs: list[tuple[float, float]], n: int, within: tuple[float, float] = (0.0, 1.0)
) -> Score:
    """Expected mean of n new values like these, with a 95% prediction interval.

    The interval of `mean_score` with each side longer by sqrt(1 + m / n), since both the m given
    and the n new values are samples. There is no upper end if all values are equal and unbounded.

    Args:
        pairs: value and weight of each example.
        n: number of new values.
        within: smallest and largest possible value.
    """
    x, w = zip(*pairs, strict=True)
    mean = mean_score(list(x), list(w), within)
    value, m = mean.value or 0.0, mean.n
    wider = math.sqrt(1 + m / n)
    low, high = (
        None if end is None else min(max(value + wider * (end - value), within[0]), within[1])
        for end in (mean.low, mean.high)
    )
    return Score(value, m, low, high, mean.note)


def _perplexity(pairs: list[tuple[float, float]], n: int) -> Score:
    return exponential(predicted(pairs, n, (0.0, math.inf)))


def _share(pairs: list[tuple[float, float]], n: int) -> Score:
    """Prediction interval for a share of n new values: beta-binomial with Jeffreys' prior."""
    from scipy.stats import betabinom

    given, m = sum(value for value, _ in pairs), len(pairs)
    ends: Any = betabinom.ppf([0.025, 0.975], n, given + 0.5, m - given + 0.5)
    return Score(given / m, m, float(ends[0]) / n, float(ends[1]) / n)


def _auc(pairs: list[tuple[float, float]], n: int) -> Score:
    """AUC of 0.5 with the spread of the rank-sum test (Mann and Whitney, 1947)."""
    m = len(pairs)
    half = Z * math.sqrt((m + n + 1) / (12 * m * n))
    return Score(0.5, m, max(0.5 - half, 0.0), min(0.5 + half, 1.0))


def _shown(name: str) -> Callable[[list[Row]], Numbers]:
    return lambda rows: {id: (value, 1.0) for id, value in shown(rows).get(name, {}).items()}


def _attacked(name: str) -> Callable[[list[Row]], Numbers]:
    return lambda rows: {id: (value, 1.0) for id, value in attacked(rows).get(name, {}).items()}


def _nll(rows: list[Row]) -> Numbers:
    return {row.id: (-mean_logp(row), float(row.tokens)) for row in scored(rows, "answer")}


def _ratios(rows: list[Row]) -> Numbers:
    return {id: (nearer(r), 1.0) for id, r in truth_ratios(rows).items()}


YardstickValue = Callable[[list[Row]], Numbers]
READ: dict[str, tuple[YardstickValue, Callable[[list[tuple[float, float]], int], Score]]] = {
    **{
        name: (_shown(name), predicted)
        for name in ("probability", "extraction_strength", "exact_memorization", "rouge_l_recall",
                     "paraphrase_probability")
    },
    "perplexity": (_nll, _perplexity),
    "truth_ratio": (_ratios, predicted),
    "fact_recall": (_shown("fact_recall"), _share),
    **{
        f"membership_auc_{name}": (_attacked(name), _auc)
        for name in ("loss", "zlib", "min_k", "min_k_plus_plus")
    },
}  # fmt: skip
