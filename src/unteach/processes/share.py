"""Work that is dealt out to processes and put together again, as if one had done it all."""

from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import gather_object

from unteach.errors import UserError
from unteach.progress import ProgressCallback

T = TypeVar("T")


def together(work: Callable[[], T], *, lockstep: bool = False) -> list[T]:
    """What the work gives on each process, in the order of the processes.

    Where it fails on one process it fails on all, as soon as the others come here: none is left
    waiting. For a process that is gone they wait until the connection breaks (gloo) or the
    collective's timeout is over (NCCL).

    Args:
        work: what is done.
        lockstep: it asks a model in shards. The others then wait for this process in the middle of
            a forward, and never come here: where it fails it is to end, and the launcher ends all.

    Raises:
        UserError: what was wrong on any process.
        RuntimeError: the number of another process, and the kind of error that it ended with.
    """
    if PartialState().num_processes == 1:
        return [work()]
    found, failure = [], None
    try:
        found = [work()]
    except Exception as error:
        if lockstep:
            raise
        failure = error
    told = failure if isinstance(failure, UserError) else failure and type(failure).__name__
    shares = gather_object([(found, told)])
    if failure is not None:
        raise failure
    for number, (_, other) in enumerate(shares):
        if isinstance(other, UserError):
            raise other
        if other is not None:
            raise RuntimeError(f"process {number} failed: {other}")
    return [share[0] for share, _ in shares]


def from_main(work: Callable[[], T]) -> T:
    """What the work gives on the main process, on all of them; the others do nothing.

    Raises:
        UserError, RuntimeError: as `together`.
    """
    main = PartialState().is_main_process
    return together(lambda: work() if main else None)[0]  # type: ignore[return-value]


def share(items: list[T], *, shared: bool = True) -> list[T]:
    """Those that this process is to do: every second of two processes; all when not shared."""
    if not shared:
        return items
    state = PartialState()
    return items[state.process_index :: state.num_processes]


def speaks(*, shared: bool) -> bool:
    """Whether progress is told here: of shared work on the main process alone."""
    return not shared or PartialState().is_main_process


def by_batches(
    batches: list[list[int]],
    work: Callable[[list[int]], list[T]],
    *,
    shared: bool = False,
    lockstep: bool = False,
    progress: ProgressCallback = lambda done, total: None,
) -> list[T]:
    """What the work gives of each member, in the order of their numbers.

    Args:
        batches: numbers of the members, each in one batch.
        work: from the members of a batch to one thing for each.
        shared: deal the batches out; every process must come here, and every one gets all. The
            batches are those of one process, and so are the numbers.
        lockstep: of shared work: every process does all, at the same time (`in_lockstep`).
        progress: told how many members are done, on the main process alone.

    Example:
        >>> by_batches([[1], [2, 0]], lambda members: [10 * i for i in members])
        [0, 10, 20]
    """
    total = sum(map(len, batches))
    tells, dealt = speaks(shared=shared), shared and not lockstep

    def own() -> dict[int, T]:
        found: dict[int, T] = {}
        for k in share(list(range(len(batches))), shared=dealt):
            found |= zip(batches[k], work(batches[k]), strict=True)
            if tells:
                progress(sum(map(len, batches[: k + 1])), total)
        return found

    found = {i: one for part in (together(own) if dealt else [own()]) for i, one in part.items()}
    if total and tells and shared:
        progress(total, total)
    return [found[i] for i in range(total)]
