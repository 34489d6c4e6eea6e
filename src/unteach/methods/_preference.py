"""The term of methods that prefer an alternate answer to the forget answer."""

from unteach.losses import dpo
from unteach.losses.answer_rows import AnswerRows, Term


def preference_term(rows: AnswerRows, beta: float) -> Term:
    """DPO of the alternate over the forget answer, a mean over pairs of complete answers.

    Args:
        rows: the forget rows, with `alternate` and `reference_logps`.
        beta: of DPO.
    """
    other = rows.require_alternate()
    values = dpo(
        other.logps,
        other.require_reference_logps(),
        rows.logps,
        rows.require_reference_logps(),
        beta=beta,
    )
    return Term("forget", values, "answers")
