"""Hold earlier requests forgotten: a term on their answers while others are unlearned."""

from unteach.losses.answer_rows import AnswerRows, Term

REPLAY_READS = frozenset({"reference_logits"})


def replay_term(rows: AnswerRows, weight: float) -> Term:
    """Return KL(reference || model) on answers that were forgotten earlier, a mean over tokens.

    The reference is the model that this run begins at, which forgot them. The term is 0 there and
    never below, so it pulls neither up nor further down: the method's own forget loss, which has no
    such end, would push what is gone already beyond texts that were never seen.
    """
    return Term("replay", rows.kl(), "tokens", weight)
