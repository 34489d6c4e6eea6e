"""Aggregate token scores to the per-answer values that metrics read."""

from collections.abc import Iterable
from typing import Any

from unteach.types import Numbers, TokenScores

FIFTH = 0.2  # share of the least likely tokens: the usual choice of Min-K% and Min-K%++
SHARE = 0.4  # the same in MUSE's PrivLeak, and in OpenUnlearning's settings for TOFU and MUSE


def joined(windows: Iterable[TokenScores]) -> TokenScores:
    """Concatenate the windows of a long text, in their order.

    Example:
        >>> joined([TokenScores(logps=(-1.0,)), TokenScores(logps=(-2.0,))]).logps
        [-1.0, -2.0]
    """
    columns = zip(*windows, strict=True)
    return TokenScores(*([one for part in column for one in part] for column in columns))


def summary(scores: TokenScores) -> dict[str, Any]:
    """Exact values for the fields of a row, without those that are not known; see `Row`.

    Example:
        >>> found = summary(TokenScores(logps=(-1.0, -3.0), hits=(True, False), ranks=(0, 3)))
        >>> found["tokens"], found["logp"], found["min_k"], found["matched"]
        (2, -2.0, -3.0, 0.5)
        >>> found["strength"], found["reciprocal_rank"]
        (0.0, 0.625)
    """
    logps, hits = scores.logps, scores.hits
    if not logps:
        return {}
    found: dict[str, Any] = {
        "tokens": len(logps),
        "logp": mean(logps),
        "min_k": lowest(logps),
        "min_40": lowest(logps, SHARE),
        "min_40_but_last": lowest(logps[:-1], SHARE) if logps[1:] else 0.0,
    }
    if hits:
        found |= {
            "matched": mean(hits),
            "strength": strength(hits),
            "matched_but_last": mean(hits[:-1]) if hits[1:] else None,
            "strength_but_last": max(strength(hits[:-1]), 1 / len(hits[:-1])) if hits[1:] else 0.0,
        }
    if scores.ranks:
        found["reciprocal_rank"] = mean([1 / (1 + rank) for rank in scores.ranks])
    if scores.means:
        found["min_k_plus_plus"] = lowest(standardised(scores))
        others = standardised(scores, least=1e-3)[:-1]  # OpenUnlearning's least variance is 1e-6
        found["min_40_plus_plus_but_last"] = lowest(others, SHARE) if others else 0.0
    if scores.divergences:
        apart = mean(scores.divergences)
        found["divergence"] = 0.0 if apart < 0 else apart  # unlike max, keeps a nan
    return found


def mean(values: Numbers) -> float:
    """Mean of at least one value."""
    return sum(values) / len(values)


def strength(hits: Numbers) -> float:
    """Length of the run of hits at the end, divided by the length; 0 if the last is no hit.

    Example:
        >>> strength((True, False, True, True))
        0.5
    """
    run = next((k for k, hit in enumerate(reversed(hits)) if not hit), len(hits))
    return run / len(hits)


def standardised(scores: TokenScores, *, least: float = 1e-6) -> Numbers:
    """(log p - mean) / max(standard deviation, `least`) at each token."""
    # A distribution without spread tells nothing about a token, and a tiny divisor would blow up.
    parts = zip(scores.logps, scores.means, scores.spreads, strict=True)
    return tuple((logp - mean) / max(spread, least) for logp, mean, spread in parts)


def lowest(values: Numbers, share: float = FIFTH) -> float:
    """Mean of the lowest `share` of the values, at least one.

    Example:
        >>> lowest((5.0, 1.0, 4.0, 3.0, 2.0))
        1.0
    """
    count = max(int(share * len(values)), 1)
    return sum(sorted(values)[:count]) / count
