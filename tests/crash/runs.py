"""The main job in processes that are killed: forked, so that imports cost once."""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

WATCHED = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "os.chmod")


def forked(work: Callable[[], object], *, log: Path | None = None) -> int:
    """Do it in a copy of this process; its exit code, or minus the signal that ended it."""
    number = os.fork()
    if number == 0:
        code = 1
        try:
            _quiet(log)
            gc.freeze()  # what the parent has, else every collection goes over and copies it
            work()
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(number, 0)
    return os.waitstatus_to_exitcode(status)


def _quiet(log: Path | None) -> None:
    handle = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (it stays open: the process ends)
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def watched(folder: Path, see: Callable[[str], None]) -> None:
    """Be told of everything that this process does to files below a folder."""
    below = str(folder)

    def hook(event: str, arguments: tuple) -> None:
        if event in WATCHED and str(arguments[0]).startswith(below):
            see(event)

    sys.addaudithook(hook)


def counting(folder: Path, work: Callable[[], object], file: Path) -> Callable[[], None]:
    """The work, then how many things it did to files, into a file."""

    def run() -> None:
        seen: list[str] = []
        watched(folder, seen.append)
        work()
        file.write_text(str(len(seen)))

    return run


def killed_at(number: int, folder: Path, work: Callable[[], object]) -> Callable[[], None]:
    """The work, up to the n-th thing that it does to files below the folder."""

    def run() -> None:
        left = [number]

        def see(event: str) -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        watched(folder, see)
        work()

    return run


def killed_after(seconds: float, work: Callable[[], object]) -> Callable[[], None]:
    """The work, for so long: also in the middle of what no hook sees."""

    def run() -> None:
        def end() -> None:
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=end, daemon=True).start()
        work()

    return run
