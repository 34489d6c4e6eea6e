"""Add up values per row to values per answer."""

from jaxtyping import Float, Int
from torch import Tensor


def answer_sum(
    values: Float[Tensor, " N"], answer: Int[Tensor, " N"], answers: int
) -> Float[Tensor, " B"]:
    """Sum of the rows of each answer.

    Args:
        values: one value per row.
        answer: index in the batch of each row's answer, in [0, answers).
        answers: number of answers in the batch (B).

    Example:
        >>> import torch
        >>> answer_sum(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([0, 0, 1]), 2).tolist()
        [3.0, 5.0]
    """
    return values.new_zeros(answers).index_add(0, answer, values)
