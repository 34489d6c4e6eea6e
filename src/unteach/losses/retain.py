"""Define the retain terms: pure functions from the rows of the retain answers to a loss term."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from unteach.losses import cross_entropy, jensen_shannon, squared_distance
from unteach.losses.answer_rows import AnswerRows, Term


class RetainTerm(NamedTuple):
    """A loss on the retain answers.

    Attributes:
        values: maps rows to one value per row.
        reads: fields of the rows that it needs beside the policy's logits.
        help: one sentence.
    """

    values: Callable[[AnswerRows], Tensor]
    reads: frozenset[str]
    help: str


RETAIN_TERMS = {
    "nll": RetainTerm(
        lambda rows: cross_entropy(rows.log_odds), frozenset(), "train on the retain answers"
    ),
    "kl": RetainTerm(
        lambda rows: rows.kl(),
        frozenset({"reference_logits"}),
        "keep the model's distribution on the retain answers where it was",
    ),
    "jsd": RetainTerm(
        lambda rows: jensen_shannon(rows.require_logits(), rows.require_reference_logits()),
        frozenset({"reference_logits"}),
        "the same by the Jensen-Shannon divergence, which is bounded (JensUn)",
    ),
    "hidden": RetainTerm(
        lambda rows: squared_distance(rows.require_hidden(), rows.require_reference_hidden()),
        frozenset({"hidden", "reference_hidden"}),
        "keep one layer's hidden states at the retain answers where they were (RMU)",
    ),
}


def retain_term(name: str, rows: AnswerRows, weight: float) -> Term:
    """Return the named term on the retain answers, averaged over all their tokens."""
    return Term("retain", RETAIN_TERMS[name].values(rows), "tokens", weight)


def retain_reads(name: str) -> frozenset[str]:
    """Return the fields that the named term needs beside the policy's logits; none for "none"."""
    return RETAIN_TERMS[name].reads if name in RETAIN_TERMS else frozenset()
