"""The right answer of each example beside its wrong ones."""

from collections import defaultdict

from unteach.metrics.rows import Missing, mean_logp, whole
from unteach.nouns import Row

LEAST = -1e6  # nats per token; stands for a probability of 0

Rivals = dict[str, tuple[float, list[float]]]  # id -> right, wrong; nats per token


def rivals(rows: list[Row], *, reworded: bool) -> Rivals:
    """Log-probabilities per token of each example's right answer and of its wrong ones.

    Examples without a wrong answer are left out. A probability of 0 stands as exp(-1e6), so that a
    broken model can be compared too.

    Args:
        rows: of one group.
        reworded: whether a paraphrase, where there is one, stands for the right answer.

    Example:
        >>> rows = [Row(id="a", logps=(-1.0, -2.0)), Row(id="a", kind="perturbed", logps=(-4.0,))]
        >>> rivals(rows, reworded=True)
        {'a': (-1.5, [-4.0])}
    """
    right: dict[str, float] = {}
    wrong: dict[str, list[float]] = defaultdict(list)
    # "answer" sorts before "paraphrase", which replaces it.
    for row in sorted(whole(rows), key=lambda r: (r.kind, r.index)):
        if not row.logps:
            continue
        if row.kind == "perturbed":
            wrong[row.id].append(_floored(mean_logp(row)))
        elif reworded or row.kind == "answer":
            right[row.id] = _floored(mean_logp(row))
    return {id: (right[id], wrong[id]) for id in sorted(wrong) if id in right}


def needed(found: dict) -> dict:
    """What was found. Raises Missing when that is nothing."""
    if not found:
        raise Missing("the data has no `perturbed_answer` column (wrong answers)")
    return found


def _floored(logp: float) -> float:
    return LEAST if logp < LEAST else logp  # unlike max, keeps a nan, which is no small number
