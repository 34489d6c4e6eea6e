"""Processes that a launcher started together: all ask, the main one writes."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from unteach.errors import Problem, UserError

# While the main process writes a large model the others wait; torch's 10 minutes are too few. They
# need not wait for one that is gone: the launcher ends them.
PATIENCE = timedelta(hours=6)


def join(device: str) -> None:
    """Meet the other processes, if a launcher such as `torchrun` started any.

    Left to itself accelerate takes them for strangers on a machine without an accelerator: each
    would ask everything, and all would write one folder. Where they have met, this does nothing.

    Args:
        device: that models will be on; when that is the CPU the processes talk over gloo.

    Raises:
        UserError: the device has no way for processes to listener.
    """
    from accelerate import PartialState

    from unteach.models.loading import device_problem, pick_device

    if "LOCAL_RANK" not in os.environ:
        return
    cpu = bool(device_problem(device)) or pick_device(device).type == "cpu"
    state = PartialState(cpu=cpu, timeout=PATIENCE)
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if state.num_processes != started:
        what = f"started {started} processes, and they cannot work together on this device"
        raise UserError(Problem("launcher", what, "start one, or give --device cpu", "request"))


def leave() -> None:
    """Wait for the others, and end the connection.

    Left to Python's exit, gloo aborted one process or more in 26 of 40 launches of four, in none of
    40 like this; and the launcher then ends those that still write.
    """
    from accelerate import PartialState

    state = PartialState()
    state.wait_for_everyone()
    state.destroy_process_group()


def is_main() -> bool:
    """Whether this process is the one that writes."""
    from accelerate import PartialState

    return PartialState().is_main_process


def own_device(device: str) -> str:
    """With several processes, "auto" is the device that accelerate gives to this one."""
    from accelerate import PartialState

    state = PartialState()
    return str(state.device) if device == "auto" and state.num_processes > 1 else device


def agreed(function: Callable[[], Any]) -> Any:
    """What it gives on this process, as soon as it went well on all of them.

    Raises:
        UserError: what was wrong on any process.
        RuntimeError: another process failed.
    """
    from unteach.processes.share import together

    found = []
    together(lambda: found.append(function()))
    return found[0]


def shared(function: Callable[[], Any]) -> Any:
    """What the main process finds, in all processes: they must go the same way."""
    from unteach.processes.share import from_main

    return from_main(function)
