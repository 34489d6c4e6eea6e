"""Nothing of the data gets out by the back door: traces, warnings, logs, core dumps, telemetry."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import extract_tb
from types import TracebackType
from typing import Any

DEBUG = "UNTEACH_DEBUG"
# Set unless the user has set them: what libraries would send of their own accord.
SILENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
}
OFF = ("", "0", "false", "no", "off")
DEEPEST = 40  # lines of one trace
ADVICE = (
    "Nobody foresaw this: it may be a fault of unteach, of a library or of a plug-in. Messages of\n"
    f"exceptions can hold texts of your data, so they are left out here; {DEBUG}=1 shows\n"
    "them. Please report what stands above; look through anything else before you send it."
)


def debugging() -> bool:
    """Whether the user wants to see all, the data's texts included."""
    return os.environ.get(DEBUG, "").strip().lower() not in OFF


@contextmanager
def discreet() -> Iterator[None]:
    """What goes wrong inside is told by its place and kind, without its words; exit code 1.

    An exception's message, a library's warning and its log may quote what they were about.
    """
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)
    if debugging():
        _say(f"{DEBUG} is set: what fails is shown whole, and may quote texts of your data")
        yield
        return
    _no_core_dump()
    _no_words()
    try:
        yield
    except SystemExit as end:  # whose words Python would print
        sys.exit(end.code if end.code is None or isinstance(end.code, int) else 1)
    except Exception as error:
        _say(f"{trace_of(error)}\n{ADVICE}")
        sys.exit(1)


def trace_of(error: BaseException) -> str:
    """Where an exception comes from, and of what kind it is: no message, no line of source.

    Example:
        >>> try:
        ...     raise ValueError("Ada was born in Lund.")
        ... except ValueError as error:
        ...     print(trace_of(error).splitlines()[-1])
        ValueError
    """
    return "\n".join(_lines(error, set()))


def _lines(error: BaseException, told: set[int]) -> Iterator[str]:
    told.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in told:
        yield from _lines(before, told)
        yield "which led to:" if error.__cause__ else "while that was dealt with:"
    yield from _places(error.__traceback__)
    yield _kind(error)
    for part in getattr(error, "exceptions", ()):  # of a group
        if id(part) not in told:
            yield "of which one is:"
            yield from _lines(part, told)


def _places(trace: TracebackType | None) -> Iterator[str]:
    frames = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(trace)]
    if len(frames) > DEEPEST:
        half, left = DEEPEST // 2, len(frames) - DEEPEST
        frames[half:-half] = [f"  ... {left} more"]
    yield from frames


def _kind(error: BaseException) -> str:
    """The type; of what the system refused also why, in the system's own words."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    number = getattr(error, "errno", None)
    if isinstance(error, OSError) and isinstance(number, int):
        return f"{name}: {os.strerror(number)}"  # never its strerror, which whoever raises it fills
    return name


def _no_core_dump() -> None:
    """The memory of a process that crashes holds the data; it shall not land on a disk."""
    try:
        import resource
    except ImportError:  # Windows writes none of its own accord
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _no_words() -> None:
    """Whatever else Python prints by itself, and what libraries warn of and log."""
    sys.unraisablehook = lambda found: _failed("a clean-up", found.exc_value)
    threading.excepthook = lambda found: _failed("a thread", found.exc_value)
    warnings.showwarning = _warned
    logging.raiseExceptions = False  # what cannot be formatted is printed with all that it was of
    if logging.getLogRecordFactory() is logging.LogRecord:
        logging.setLogRecordFactory(_record)


def _failed(what: str, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        _say(f"{what} failed:\n{trace_of(error)}\n{ADVICE}")


def _warned(message: Any, category: type[Warning], filename: str, lineno: int, *rest: Any) -> None:
    _say(f"{category.__name__} at {filename}:{lineno} ({DEBUG}=1 shows its words)")


def _record(*args: Any, **options: Any) -> logging.LogRecord:
    """A log entry as it was made by us, and by anyone else without its words."""
    made = logging.LogRecord(*args, **options)
    if made.name != "unteach" and not made.name.startswith("unteach."):
        made.msg = f"said at {made.pathname}:{made.lineno} ({DEBUG}=1 shows its words)"
        made.args = made.exc_info = made.exc_text = made.stack_info = None
    return made


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
