"""Let one of several launched processes print."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

PATIENCE = 5  # seconds, in which the main process loads its libraries too


@contextmanager
def one_voice() -> Iterator[None]:
    """Silence all processes but the main one, until an error is raised.

    A launcher ends all processes as soon as one fails. So if all fail, the others wait, for the
    main process to print the reason.
    """
    if os.environ.get("RANK", "0") == "0":
        yield
        return
    nowhere = open(os.devnull, "w")  # noqa: SIM115 (stays open: loggers keep it)
    try:
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield
    except SystemExit as stop:
        if stop.code in (1, 2):
            time.sleep(PATIENCE)
        raise
    except Exception:
        time.sleep(PATIENCE)
        raise
