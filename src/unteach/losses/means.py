"""Reduce values per row to sums and means per answer or per token."""

import torch
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
        >>> answer_sum(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([0, 0, 1]), 2).tolist()
        [3.0, 5.0]
    """
    return values.new_zeros(answers).index_add(0, answer, values)


def answer_mean(
    values: Float[Tensor, " N"], answer: Int[Tensor, " N"], answers: int
) -> Float[Tensor, " B"]:
    """Mean of the rows of each answer; 0 for an answer without rows.

    Example:
        >>> answer_mean(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([0, 0, 1]), 2).tolist()
        [1.5, 5.0]
    """
    lengths = answer_sum(torch.ones_like(values), answer, answers)
    return answer_sum(values, answer, answers) / lengths.clamp(min=1)


def token_mean(values: Float[Tensor, " N"], *, tokens: int | float) -> Float[Tensor, ""]:
    """Sum of the rows, divided by the number of answer tokens of the *whole* step.

    A mean of means is not the mean: the count must span all micro-batches and all processes, so it
    is a parameter and not taken from the batch.

    Example:
        >>> token_mean(torch.tensor([1.0, 2.0, 6.0]), tokens=3).item()
        3.0
    """
    return values.sum() / max(tokens, 1)
