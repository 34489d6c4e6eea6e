"""Split work over processes and gather the results on all of them."""

from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import gather_object

from unteach.errors import UserError
from unteach.progress import ProgressCallback

T = TypeVar("T")


def together(work: Callable[[], T], *, lockstep: bool = False) -> list[T]:
    """Run the work on every process, and return all results in the order of the processes.

    If it fails on one process it fails on all, once the others get here, so none waits forever. If
    a process died, they wait until the connection breaks (gloo) or the collective times out (NCCL).

    Args:
        work: the function to run.
        lockstep: the work runs a sharded model. If it fails here, the other processes are stuck in
            a forward and never get here; so the error is raised, and the launcher ends all.

    Raises:
        UserError: raised by any process.
        RuntimeError: another process failed; names its rank and the type of the error.
    """
    if PartialState().num_processes == 1:
        return [work()]
    results, failure = [], None
    try:
        results = [work()]
    except Exception as error:
        if lockstep:
            raise
        failure = error
    reported = failure if isinstance(failure, UserError) else failure and type(failure).__name__
    shares = gather_object([(results, reported)])
    if failure is not None:
        raise failure
    for number, (_, other) in enumerate(shares):
        if isinstance(other, UserError):
            raise other
        if other is not None:
            raise RuntimeError(f"process {number} failed: {other}")
    return [share[0] for share, _ in shares]


def from_main(work: Callable[[], T]) -> T:
    """Run the work on the main process only, and return its result on all processes.

    Raises:
        UserError, RuntimeError: as `together`.
    """
    main = PartialState().is_main_process
    return together(lambda: work() if main else None)[0]  # type: ignore[return-value]


def share(items: list[T], *, shared: bool = True) -> list[T]:
    """Return the items for this process, every n-th of n processes; all if not shared."""
    if not shared:
        return items
    state = PartialState()
    return items[state.process_index :: state.num_processes]


def speaks(*, shared: bool) -> bool:
    """Whether this process reports progress; for shared work only the main process does."""
    return not shared or PartialState().is_main_process


def by_batches(
    batches: list[list[int]],
    work: Callable[[list[int]], list[T]],
    *,
    shared: bool = False,
    lockstep: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[T]:
    """Run the work batch by batch, and return one result per item, ordered by item index.

    Args:
        batches: item indices, each in one batch.
        work: maps the indices of a batch to one result each.
        shared: split the batches over processes; every process must call this with the same
            batches, and gets all results.
        lockstep: for shared work, let every process run all batches at the same time
            (`in_lockstep`).
        progress: called with the number of items done, on the main process only.

    Example:
        >>> by_batches([[1], [2, 0]], lambda members: [10 * i for i in members])
        [0, 10, 20]
    """
    total = sum(map(len, batches))
    reports, split = speaks(shared=shared), shared and not lockstep

    def own() -> dict[int, T]:
        results: dict[int, T] = {}
        for k in share(list(range(len(batches))), shared=split):
            results |= zip(batches[k], work(batches[k]), strict=True)
            if reports:
                progress(sum(map(len, batches[: k + 1])), total)
        return results

    results = {i: one for part in (together(own) if split else [own()]) for i, one in part.items()}
    if total and reports and shared:
        progress(total, total)
    return [results[i] for i in range(total)]
