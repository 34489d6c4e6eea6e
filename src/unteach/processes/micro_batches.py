"""A step's examples dealt out to processes: the same steps, however many there are."""

from math import gcd

from unteach.errors import Problem, UserError


def dealt(batch: int, accumulation: int, processes: int) -> tuple[int, int]:
    """What one process forwards at once, and how often, so that all together make the step asked.

    Forwards are dealt out before they are cut: a step of 4 forwards is one each for 4 processes.

    Args:
        batch: forget examples of one forward, as asked.
        accumulation: forwards of one optimiser step, as asked.
        processes: how many share the step.

    Returns:
        Batch and accumulation of each process; times `processes` they make the same product.

    Raises:
        UserError: it cannot be dealt out evenly.

    Example:
        >>> dealt(8, 4, 2), dealt(8, 1, 4), dealt(8, 6, 4)
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
