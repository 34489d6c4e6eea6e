"""Run jobs in parallel processes with one thread each, and show their progress."""

import os
import queue
import signal
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, Protocol

from unteach.errors import Problem, UserError

Tell = Callable[[int, int, str], None]
_told: Any = None


class JobListener(Protocol):
    """Interface of an object that shows the progress of several jobs."""

    def begin(self, name: str) -> None:
        """Called when a job is submitted."""

    def move(self, name: str, done: int, total: int, detail: str) -> None:
        """Called with the progress of a job."""

    def end(self, name: str) -> None:
        """Called when a job is done."""


class Workers:
    """A pool of processes with one thread each.

    With several threads torch was up to 50 times slower on a busy machine, and several processes
    use the cores better anyway. Processes are spawned, since forking a process with torch is not
    safe, and not possible on Windows.
    """

    def __init__(self, count: int, board: JobListener):
        context = get_context("spawn")
        self.board, self.told = board, context.Queue()
        self.pool = ProcessPoolExecutor(
            count, mp_context=context, initializer=_start_worker, initargs=(self.told,)
        )

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:  # a job failed, or Ctrl-C: do not wait for the others
            for process in list((self.pool._processes or {}).values()):
                process.terminate()
        self.pool.shutdown(cancel_futures=True)

    def run(self, jobs: dict[str, tuple[Callable[..., Any], tuple]]) -> dict[str, Any]:
        """Run the jobs, and return their results by name.

        Args:
            jobs: a module-level function and its arguments by name; a `Tell` is added to them.

        Raises:
            UserError: a process was killed. Otherwise the exception of the first failing job.
        """
        waiting: dict[str, Future] = {}
        for name, (function, args) in jobs.items():
            self.board.begin(name)
            waiting[name] = self.pool.submit(_call, name, function, args)
        results = {}
        while waiting:
            self._listen(waiting)
            for name in [n for n, future in waiting.items() if future.done()]:
                results[name] = _result(name, waiting.pop(name))
                self.board.end(name)
        return {name: results[name] for name in jobs}

    def _listen(self, waiting: dict[str, Future]) -> None:
        """Show all progress reports in the queue; those of finished jobs are dropped."""
        try:
            report = self.told.get(timeout=0.1)
            while True:
                if report[0] in waiting:
                    self.board.move(*report)
                report = self.told.get_nowait()
        except queue.Empty:
            return


def _result(name: str, future: Future) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        what = "its process was killed, most likely for memory"
        hint = "use fewer processes: --workers 1"
        raise UserError(Problem(name, what, hint)) from None


def _start_worker(told: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    Thread(target=_end_with_parent, daemon=True).start()

    import torch
    from transformers.utils import logging

    global _told
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)
    _told = told
    told.cancel_join_thread()  # an ending process does not wait until the queue is read
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """End this worker with its parent; after a killed parent it would wait for jobs for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(name: str, function: Callable[..., Any], args: tuple) -> Any:
    return function(*args, lambda done, total, detail: _told.put((name, done, total, detail)))
