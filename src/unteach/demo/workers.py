"""Jobs side by side, one thread each, that tell how far they are."""

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
    """Someone who shows several jobs at once."""

    def begin(self, name: str) -> None:
        """A job is waiting or under way."""

    def move(self, name: str, done: int, total: int, detail: str) -> None:
        """How far it is."""

    def end(self, name: str) -> None:
        """It is done."""


class Workers:
    """A pool of processes with one thread each.

    With several threads torch was up to 50 times slower on a busy machine, and several processes
    use the cores better anyway. Processes are spawned: forking one that has torch in it is not
    safe, and is not possible on Windows.
    """

    def __init__(self, count: int, board: JobListener):
        context = get_context("spawn")
        self.board, self.told = board, context.Queue()
        self.pool = ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(self.told,)
        )

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:  # a job failed, or Ctrl-C: do not wait for the others
            for process in list((self.pool._processes or {}).values()):
                process.terminate()
        self.pool.shutdown(cancel_futures=True)

    def run(self, jobs: dict[str, tuple[Callable[..., Any], tuple]]) -> dict[str, Any]:
        """What each job returns, by its name.

        Args:
            jobs: a module-level function and its arguments; it is called with them and a `Tell`.

        Raises:
            UserError: a process was killed. Else whatever the first failing job raised.
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
        """Show all that was told; what comes late, of a job that is done, is dropped."""
        try:
            told = self.told.get(timeout=0.1)
            while True:
                if told[0] in waiting:
                    self.board.move(*told)
                told = self.told.get_nowait()
        except queue.Empty:
            return


def _result(name: str, future: Future) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        what = "its process was killed, most likely for memory"
        hint = "use fewer processes: --workers 1"
        raise UserError(Problem(name, what, hint)) from None


def _begin(told: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    Thread(target=_end_with_parent, daemon=True).start()

    import torch
    from transformers.utils import logging

    global _told
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)
    _told = told
    told.cancel_join_thread()  # a process that ends does not wait until all it told was heard
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """Workers of a parent that was killed would wait for ever for their next job."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(name: str, function: Callable[..., Any], args: tuple) -> Any:
    return function(*args, lambda done, total, detail: _told.put((name, done, total, detail)))
