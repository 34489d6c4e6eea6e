"""Rows that no model made: random ones for every metric, and plain ones to count with by hand."""

import random
from dataclasses import dataclass

from unteach.suites.rivals import beside_wrong
from unteach.suites.summary import summary
from unteach.types import Row, TokenScores

GROUPS = (
    "forget", "retain", "holdout", "world", "authors", "facts", "verbmem", "knowmem",
    "knowmem_retain")  # fmt: skip

NAMES = ("logps", "hits", "ranks", "means", "spreads", "divergences")


@dataclass(frozen=True, kw_only=True)
class Told(Row):
    """A row, and what it is the summary of: definitions are written again from that."""

    scores: TokenScores


def told(id, logps, *, hits=(), ranks=(), means=(), spreads=(), divergences=(), **more):
    """A row of what is given of its tokens, not rounded."""
    parts = (logps, hits, ranks, means, spreads, divergences)
    scores = TokenScores(**dict(zip(NAMES, map(tuple, parts), strict=True)))
    return Told(id=id, scores=scores, **{**summary(scores), **more})


def row(id, logps, **more):
    """A row with the fields that every evaluation fills, not rounded."""
    n = len(logps)
    values = {"hits": (False,) * n, "means": (-3.0,) * n, "spreads": (1.0,) * n, "zlib": 10}
    return told(id, logps, **{**values, **more})


def world(seed=0, n=12, shift=0.0, groups=GROUPS):
    """Rows of all groups, every field filled, with paraphrases and wrong answers.

    Args:
        seed: of the random numbers.
        n: examples of each group.
        shift: added to every log-probability, which stays below 0.
        groups: their names.
    """
    rng = random.Random(seed)
    return {
        group: beside_wrong(made for k in range(n) for made in _example(rng, f"{group}-{k}", shift))
        for group in groups
    }


def own(groups, group="forget"):
    """The user's own answers."""
    return [found for found in groups[group] if found.kind == "answer"]


def _example(rng, id, shift):
    def logps():
        return [min(shift - rng.expovariate(1.0), 0.0) for _ in range(rng.randint(8, 12))]

    mine = logps()
    n = len(mine)
    more = {
        "hits": tuple(rng.random() < 0.6 for _ in mine),
        "ranks": tuple(rng.randint(0, 9) for _ in mine),
        "divergences": tuple(rng.expovariate(3.0) for _ in mine),
        "means": tuple(-3 - rng.random() for _ in mine),
        "spreads": tuple(rng.uniform(0.5, 2) for _ in mine),
        "gradient_norm": rng.uniform(0.1, 9),
        "zlib": rng.randint(9, 40),
        "rouge_l_recall": rng.random(),
        "rouge_l_f1": rng.random(),
        "fact_given": rng.random() < 0.3,
        "said_tokens": n,
        "said_repetition": rng.random() / 2,
        "said_distinct": rng.uniform(0.5, 1),
        "said_logp": -rng.uniform(0.5, 4),
    }
    wrong = [row(id, logps(), kind="perturbed", index=k) for k in range(3)]
    return [row(id, mine, **more), row(id, logps(), kind="paraphrase"), *wrong]
