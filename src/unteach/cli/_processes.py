"""Start a command as several processes on this machine, by torch's own launcher."""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence

from unteach.cli._show import say

FLAG = "--processes"


def start(processes: int) -> int:
    """This very command, as that many processes; its exit code.

    Every one of them knows its number from the environment, as under `torchrun`.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.ERROR)  # of the launcher: our own words are enough
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP's advice is for its programmer
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
        if error.sigval != signal.SIGINT:  # of which the main process has said so itself
            say("stopped")
        return 128 + error.sigval
    return 0


def _module() -> list[str]:
    """How Python starts us: no file of the working folder stands in for a library, as before."""
    here = "" in sys.path or os.getcwd() in sys.path
    return [*([] if here else ["-P"]), "-m", "unteach"]


def without(arguments: Sequence[str]) -> list[str]:
    """A command without the number of its processes.

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
    """The exit code of what failed first, as a shell has it of one process that a signal ended.

    Said here where the process itself could say nothing. One that was killed was first: the others
    fail as it is gone, or the launcher terminates them.
    """
    failures: dict = getattr(error, "failures", {})

    def place(found: tuple) -> tuple:
        code = found[1].exitcode
        return code == -signal.SIGTERM, code >= 0, found[1].timestamp

    rank, first = min(failures.items(), key=place)
    if first.exitcode >= 0:
        return first.exitcode
    say(f"process {rank} was ended from outside ({first.signal_name()}); the others were stopped")
    return 128 - first.exitcode
