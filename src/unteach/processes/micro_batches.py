"""Split a step's examples over processes, so that steps do not depend on their number."""

from math import gcd

from unteach.errors import Problem, UserError


def split_batch(batch: int, accumulation: int, processes: int) -> tuple[int, int]:
    """Return each process's batch size and gradient accumulation for a requested step.

    Whole micro-batches are split over processes first: of 4 micro-batches, 4 processes get one
    each. Only then are micro-batches made smaller.

    Args:
        batch: requested forget examples per micro-batch.
        accumulation: requested micro-batches per optimiser step.
        processes: number of processes.

    Returns:
        Batch and accumulation per process; their product times `processes` is the requested step.

    Raises:
        UserError: the step cannot be split evenly.

    Example:
        >>> split_batch(8, 4, 2), split_batch(8, 1, 4), split_batch(8, 6, 4)
        ((8, 2), (2, 1), (4, 3))
    """
    several = gcd(accumulation, processes)
    cut = processes // several
    if batch % cut == 0:
        return batch // cut, accumulation // several
    step = batch * accumulation
    what = (
        f"{batch} x {accumulation} examples of a step cannot be dealt out to {processes} processes"
    )
    more = processes * -(-step // processes)
    hint = (
        f"a step of {more} examples can: set train.batch_size={more} and "
        "train.gradient_accumulation_steps=1, or start another number of processes"
    )
    raise UserError(
        Problem("train.batch_size x train.gradient_accumulation_steps", what, hint, "request")
    )
