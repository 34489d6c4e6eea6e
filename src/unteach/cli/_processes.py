"""Start a command as several processes on this machine, with torch's launcher."""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence

from unteach.cli._json import show_failure
from unteach.cli._show import say
from unteach.errors import Problem

FLAG = "--processes"


def start(processes: int) -> int:
    """Run this command as several processes, and return the exit code.

    Each process has its rank in the environment, as under `torchrun`.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.ERROR)  # the launcher's log repeats our own messages
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP's warnings are for programmers
    threads = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.2,
    )
    try:
        elastic_launch(config, sys.executable)(*_module(), *without(sys.argv[1:]))
    except ChildFailedError as error:
        return _told(error)
    except SignalException as error:
        if error.sigval != signal.SIGINT:  # the main process reports Ctrl-C itself
            say("stopped")
        return 128 + error.sigval
    return 0


def _module() -> list[str]:
    """Return how to start unteach; with -P no file of the working folder shadows a library."""
    here = "" in sys.path or os.getcwd() in sys.path
    return [*([] if here else ["-P"]), "-m", "unteach"]


def without(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without `--processes N`.

    Example:
        >>> without(["run", "--processes", "2", "--out", "o"]), without(["run", "--processes=2"])
        (['run', '--out', 'o'], ['run'])
    """
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument != FLAG and not argument.startswith(f"{FLAG}="):
            kept.append(argument)
        skip = not skip and argument == FLAG
    return kept


def _told(error: Exception) -> int:
    """Return the exit code of the process that failed first, 128 + N if signal N killed it.

    A killed process cannot print anything, so a message is printed here. It counts as the first:
    the others fail because it is gone, or the launcher terminates them.
    """
    failures: dict = getattr(error, "failures", {})

    def place(found: tuple) -> tuple:
        code = found[1].exitcode
        return code == -signal.SIGTERM, code >= 0, found[1].timestamp

    rank, first = min(failures.items(), key=place)
    if first.exitcode >= 0:
        return first.exitcode
    what = f"was killed ({first.signal_name()}); the others were stopped"
    say(f"process {rank} {what}")
    show_failure([Problem(f"process {rank}", what)], 128 - first.exitcode)
    return 128 - first.exitcode
