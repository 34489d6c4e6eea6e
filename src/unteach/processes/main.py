"""Join and leave the processes that a launcher started; only the main process writes files."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from unteach.errors import Problem, UserError

# The others wait while the main process writes a large model, longer than torch's 10 minutes. If a
# process dies they do not wait: the launcher ends them.
PATIENCE = timedelta(hours=6)


def join(device: str) -> None:
    """Connect to the other processes, if a launcher such as `torchrun` started any.

    By default accelerate does not connect processes without an accelerator: each would do all the
    work, and all would write to one folder. If they are connected already, this does nothing.

    Args:
        device: of the models; on the CPU the processes communicate over gloo.

    Raises:
        UserError: processes cannot communicate on this device.
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
    """Wait for the other processes, and close the connection.

    At Python's exit instead, gloo aborted one process or more in 26 of 40 launches of four, against
    none of 40 with this; and the launcher then ends processes that are still writing.
    """
    from accelerate import PartialState

    state = PartialState()
    state.wait_for_everyone()
    state.destroy_process_group()


def is_main() -> bool:
    """Whether this is the main process, which writes files."""
    from accelerate import PartialState

    return PartialState().is_main_process


def own_device(device: str) -> str:
    """Replace "auto" by the device that accelerate assigns, if there are several processes."""
    from accelerate import PartialState

    state = PartialState()
    return str(state.device) if device == "auto" and state.num_processes > 1 else device


def agreed(function: Callable[[], Any]) -> Any:
    """Return this process's result once the function has succeeded on all processes.

    Raises:
        UserError: raised by any process.
        RuntimeError: another process failed.
    """
    from unteach.processes.share import together

    results = []
    together(lambda: results.append(function()))
    return results[0]


def shared(function: Callable[[], Any]) -> Any:
    """Return the main process's result on all processes, so that all take the same branch."""
    from unteach.processes.share import from_main

    return from_main(function)
