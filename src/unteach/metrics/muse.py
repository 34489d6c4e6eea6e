"""MUSE's memorisation metrics VerbMem (verbatim) and KnowMem (knowledge)."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.generation import said
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import MUSE
from unteach.metrics.rows import ModelCase
from unteach.types import Score


@metric(
    "verbatim_memorization",
    help="how like the true text it is when the model goes on with its beginning (MUSE's VerbMem)",
    direction=KNOWLEDGE,
    groups=("verbmem",),
    retrained="well above 0: texts of one kind share their small words; go no lower than it",
    gaming="a model that says nothing, or noise, has 0",
    paper=MUSE,
)
def verbatim_memorization(group: str, case: ModelCase) -> Score:
    """Mean ROUGE-L F1 of the greedy continuation against the true one, as MUSE's VerbMem.

    MUSE gives it in percent.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id=id, tokens=1, logp=-1.0, rouge_l_f1=f1)
        ...         for id, f1 in (("a", 0.2), ("b", 0.4))]
        >>> round(verbatim_memorization("verbmem", ModelCase({"verbmem": rows})).value, 4)
        0.3
    """
    return mean_score(said(group, case, lambda row: row.rouge_l_f1))


@metric(
    "knowledge_memorization",
    help="how like the right answers is what the model says to questions about the texts (MUSE's "
    "KnowMem: `knowmem` about what is forgotten, `knowmem_retain` about what is kept)",
    direction=KNOWLEDGE,
    groups=("knowmem", "knowmem_retain"),
    retrained="on knowmem, above 0: some answers are known from elsewhere or can be guessed",
    gaming="on knowmem, a model that says nothing, or noise, has 0: read it with knowmem_retain",
    paper=MUSE,
)
def knowledge_memorization(group: str, case: ModelCase) -> Score:
    """Mean ROUGE-L F1 of the greedy answer against the true one, as MUSE's KnowMem.

    On `knowmem_retain` it is MUSE's utility. MUSE gives it in percent.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id=id, tokens=1, logp=-1.0, rouge_l_f1=f1)
        ...         for id, f1 in (("a", 0.5), ("b", 1))]
        >>> knowledge_memorization("knowmem", ModelCase({"knowmem": rows})).value
        0.75
    """
    return mean_score(said(group, case, lambda row: row.rouge_l_f1))
