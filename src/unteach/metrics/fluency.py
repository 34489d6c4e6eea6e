"""Fluency of generated answers: perplexity under the original, repetition, distinct words."""

import math

from unteach.metrics._base import metric
from unteach.metrics.intervals import mean_score, perplexity_score
from unteach.metrics.rows import Groups, MissingRows, ModelCase, answers, mean_logp, scored
from unteach.types import Paper, Row, Score

REPETITION = Paper(
    title="Neural Text Generation With Unlikelihood Training",
    authors="Sean Welleck and Ilia Kulikov and Stephen Roller and Emily Dinan and Kyunghyun Cho "
    "and Jason Weston",
    year=2019,
    arxiv="1908.04319",
    where="seq-rep-4",
    venue="ICLR 2020",
)
DISTINCT = Paper(
    title="A Diversity-Promoting Objective Function for Neural Conversation Models",
    authors="Jiwei Li and Michel Galley and Chris Brockett and Jianfeng Gao and Bill Dolan",
    year=2015,
    arxiv="1510.03055",
    where="distinct-1",
    venue="NAACL 2016",
)
UNUSUAL = 0.05  # share of fluent texts that are less likely than the bound


@metric(
    "said_perplexity",
    help="how surprised the original would be by what the model says, per token (1: not at all)",
    direction={"": "unchanged"},
    range=(1.0, float("inf")),
    retrained="on forget, above the original's: it says other things, in the same language",
    gaming="a model that repeats one word has little: the original comes to expect it",
)
def said_perplexity(group: str, case: ModelCase) -> Score:
    """Exp of the mean negative log-probability under the original, over all generated tokens.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, said_tokens=4, said_logp=-2.0)]
        >>> round(said_perplexity("forget", ModelCase({"forget": rows})).value, 4)  # e^2
        7.3891
    """
    rows = [row for row in spoken(group, case) if row.said_tokens]
    nlls = [-row.said_logp for row in rows if row.said_logp is not None]
    if not rows or len(nlls) < len(rows):
        raise MissingRows(_why_unscored(rows))
    return perplexity_score(nlls, [row.said_tokens or 0 for row in rows])


@metric(
    "said_repetition",
    help="how much of what the model says it has just said (0: nothing; near 1: circles)",
    direction={"": "unchanged"},
    retrained="as the original",
    gaming="noise never repeats itself, and one word is too little to repeat",
    paper=REPETITION,
)
def said_repetition(group: str, case: ModelCase) -> Score:
    """Mean share of word 4-grams that already occurred in the same answer.

    Example:
        >>> rows = [Row(id=id, tokens=1, logp=-1.0, said_tokens=9, said_repetition=r)
        ...         for id, r in (("a", 0.0), ("b", 0.5), ("c", None))]
        >>> said_repetition("forget", ModelCase({"forget": rows})).value  # "c" has under 4 words
        0.25
    """
    found = [row.said_repetition for row in spoken(group, case)]
    return _mean(found, "no answer is long enough to repeat itself")


@metric(
    "said_distinct",
    help="how many of the words that the model says are different ones, as a share",
    direction={"": "unchanged"},
    retrained="as the original",
    gaming="noise has 1, and so has one word",
    paper=DISTINCT,
)
def said_distinct(group: str, case: ModelCase) -> Score:
    """Mean share of distinct words. Short answers have more, so compare answers of equal length.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=-1.0, said_tokens=9, said_distinct=0.75)]
        >>> said_distinct("forget", ModelCase({"forget": rows})).value
        0.75
    """
    found = [row.said_distinct for row in spoken(group, case)]
    return _mean(found, "no answer has a word")


@metric(
    "fluency",
    help="whether what the model says is still language to the original (1: as fluent as what the "
    "original says or was asked about; 0: noise, circles or silence)",
    direction={"": "high"},
    retrained="near 1",
    gaming="one fluent sentence in answer to every question has 1: fluent is not right",
)
def fluency(group: str, case: ModelCase) -> Score:
    """Mean of min(1, exp(l - b)) x (1 - r) over the greedy answers: likely and not repetitive.

    - l is the log-probability per token of the generated answer, under the original.
    - b is a low quantile of l for fluent texts: 19 in 20 of the given answers of all groups
      (right answers, paraphrases and wrong ones) and of the original's own generated answers are
      more likely. So an answer need not be what the original would say (a retrained model's is
      not); it must only be as likely as fluent texts are.
    - r is the share of repeated 4-grams. Repetitions are likely under any language model, so l
      alone would call them fluent. Below 4 words r is the share of words that are not distinct.

    An answer without a word counts 0. OpenUnlearning uses a gibberish classifier
    (arXiv 2506.12618), which needs another model; this uses the original.

    Example:
        >>> then = {"forget": [Row(id="a", tokens=1, logp=-2.0, said_tokens=2, said_logp=-2.0,
        ...                        said_distinct=1.0)]}
        >>> now = [Row(id="a", tokens=1, logp=-2.0, said_tokens=9, said_logp=-3.0,
        ...            said_repetition=0.5, said_distinct=0.5),
        ...        Row(id="b", tokens=1, logp=-2.0, said_tokens=0)]
        >>> found = fluency("forget", ModelCase({"forget": now}, original=then)).value
        >>> round(found, 4)  # (e^(-3 + 2) x (1 - 0.5) + 0) / 2
        0.092
    """
    rows = spoken(group, case)
    bound = usual(case.beside("original"))
    worded = [row for row in rows if row.said_distinct is not None]
    if any(row.said_logp is None for row in worded):
        raise MissingRows(_why_unscored(rows))
    return mean_score([fluent(row, bound) for row in rows])


def usual(original: Groups) -> float:
    """The log-probability per token, in nats, that 19 in 20 fluent texts exceed.

    Example:
        >>> rows = [Row(id=str(k), tokens=1, logp=-float(k)) for k in range(1, 22)]
        >>> usual({"forget": rows})
        -20.0
    """
    import numpy

    rows = [row for found in original.values() for row in found]
    known = [mean_logp(row) for row in scored(rows)]
    known += [row.said_logp for row in rows if row.kind == "answer" and row.said_logp is not None]
    if not known:
        raise MissingRows("the original was asked nothing")
    return float(numpy.quantile(known, UNUSUAL))


def spoken(group: str, case: ModelCase) -> list[Row]:
    """The rows of a group that have a greedy answer. Raises MissingRows when there is none."""
    found = [row for row in answers(case.model, group) if row.said_tokens is not None]
    if not found:
        raise MissingRows("no answer was generated (raw texts have no question to ask)")
    return found


def fluent(row: Row, bound: float) -> float:
    """Fluency of one greedy answer, between 0 and 1; see `fluency`.

    If the original did not score it, only its repetition counts.

    Args:
        row: of an answer; one without words has fluency 0.
        bound: the log-probability per token that fluent texts exceed (`usual`), in nats.

    Example:
        >>> fluent(Row(id="a", said_tokens=9, said_distinct=0.25), -3.0)
        0.25
    """
    if row.said_distinct is None:
        return 0.0
    repeated = row.said_repetition
    repeated = 1 - row.said_distinct if repeated is None else repeated
    gap = 0.0 if row.said_logp is None else row.said_logp - bound
    return (1.0 if gap > 0 else math.exp(gap)) * (1 - repeated)


def _mean(found: list[float | None], why: str) -> Score:
    known = [value for value in found if value is not None]
    if not known:
        raise MissingRows(why)
    return mean_score(known)


def _why_unscored(rows: list[Row]) -> str:
    if not rows:
        return "the model says nothing"
    return "what the model says was not read by the original (give the original to have it read)"
