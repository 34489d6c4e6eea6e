"""Of several processes that a launcher started, one speaks."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

PATIENCE = 5  # seconds; by then the one that speaks has loaded its libraries too


@contextmanager
def one_voice() -> Iterator[None]:
    """Keep all but the main process quiet; of a bug, or too little memory, any tells afterwards.

    A launcher ends all as soon as one fails. So where all fail, the others wait for the main one
    to say why; also where they fail since it is gone.
    """
    if os.environ.get("RANK", "0") == "0":
        yield
        return
    nowhere = open(os.devnull, "w")  # noqa: SIM115 (stays open: loggers hold on to it)
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
