"""Probability and perplexity of answers, per token."""

from unteach.metrics._base import KNOWLEDGE, SURPRISE, metric
from unteach.metrics.intervals import mean_score, perplexity_score
from unteach.metrics.papers import OPEN_UNLEARNING, TOFU
from unteach.metrics.rows import ModelCase, answers, mean_logp, paraphrases
from unteach.metrics.rows import probability as of_row
from unteach.types import Score


@metric(
    "probability",
    help="how likely the model finds the answer, per token (1: knows it by heart)",
    direction=KNOWLEDGE,
    retrained="on forget, above 0: style and grammar can be guessed; elsewhere as before",
    gaming="on forget, a model that is broken everywhere has the lowest of all",
    paper=TOFU,
)
def probability(group: str, case: ModelCase) -> Score:
    """Mean over answers of exp(mean log p of the answer's tokens), between 0 and 1.

    That is p(answer | question)^(1 / tokens) (TOFU, section 2.2.1).

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=2, logp=0.0), Row(id="b", tokens=2, logp=-2.0)]
        >>> round(probability("forget", ModelCase({"forget": rows})).value, 4)  # (1 + e^-2) / 2
        0.5677
    """
    return mean_score([of_row(row) for row in answers(case.model, group)])


@metric(
    "paraphrase_probability",
    help="how likely the model finds the answer in other words, per token (1: knows what it says, "
    "not only how)",
    direction=KNOWLEDGE,
    retrained="above 0, and close to its probability of the answers themselves",
    gaming="on forget, a model that is broken everywhere has the lowest of all",
    paper=OPEN_UNLEARNING,
)
def paraphrase_probability(group: str, case: ModelCase) -> Score:
    """Mean over answers of the probability of their paraphrase, computed as in `probability`.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=1, logp=0.0),
        ...         Row(id="a", kind="paraphrase", tokens=2, logp=-2.0)]
        >>> round(paraphrase_probability("forget", ModelCase({"forget": rows})).value, 4)  # e^-2
        0.1353
    """
    return mean_score([of_row(row) for row in paraphrases(case.model, group)])


@metric(
    "perplexity",
    help="how surprised the model is by each of the answers' tokens (1: not at all)",
    direction=SURPRISE,
    range=(1.0, float("inf")),
    retrained="about that of texts like the forget set that no model saw",
    gaming="on forget, a model that is broken everywhere has the highest of all",
)
def perplexity(group: str, case: ModelCase) -> Score:
    """Exp of the mean negative log-probability over all answer tokens; long answers count more.

    At most exp(700), to avoid overflow.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=2, logp=-1.5), Row(id="b", tokens=1, logp=0.0)]
        >>> round(perplexity("forget", ModelCase({"forget": rows})).value, 4)  # e^(3 / 3)
        2.7183
    """
    rows = answers(case.model, group)
    return perplexity_score([-mean_logp(row) for row in rows], [row.tokens for row in rows])
