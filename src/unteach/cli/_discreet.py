"""Keep data out of what Python and libraries print: traces, warnings, logs, core dumps."""

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

from unteach.cli._json import show_failure
from unteach.errors import Problem

DEBUG = "UNTEACH_DEBUG"
# Set unless the user has set them; they stop libraries from sending telemetry.
SILENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
}
OFF = ("", "0", "false", "no", "off")
DEEPEST = 40  # maximum number of lines of one trace
ADVICE = (
    "This is an unexpected error, in unteach, a library or a plug-in. Messages of exceptions can\n"
    f"quote your data, so they are left out here; {DEBUG}=1 shows them. Please report the\n"
    "lines above; they hold no data. Look through anything else before you send it."
)


def debugging() -> bool:
    """Whether the user asked for full error messages, which may quote the data."""
    return os.environ.get(DEBUG, "").strip().lower() not in OFF


@contextmanager
def discreet() -> Iterator[None]:
    """Report an unexpected error by its place and type only, and exit with code 1.

    Messages of exceptions, warnings and log entries are left out, since they may quote the data.
    """
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)
    if debugging():
        _say(f"{DEBUG} is set: errors are shown in full, and may quote your data")
        try:
            yield
        except Exception as error:
            _show(error)
            raise
        return
    _no_core_dump()
    _no_words()
    try:
        yield
    except SystemExit as end:  # Python would print its message
        if end.code is None or isinstance(end.code, int):
            sys.exit(end.code)
        _show(end)
        sys.exit(1)
    except Exception as error:
        _say(f"{trace_of(error)}\n{ADVICE}")
        _show(error)
        sys.exit(1)


def _show(error: BaseException) -> None:
    """With --json, print that an unexpected error was raised, by its kind."""
    what, hint = f"an unexpected error: {_kind(error)}", "stderr says where it was raised"
    show_failure([Problem("unteach", what, hint)], 1)


def trace_of(error: BaseException) -> str:
    """Format the places and the type of an exception, without its message or source lines.

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
        yield "which led to:" if error.__cause__ else "while that was handled:"
    yield from _places(error.__traceback__)
    yield _kind(error)
    for part in getattr(error, "exceptions", ()):  # the members of an ExceptionGroup
        if id(part) not in told:
            yield "one of its exceptions:"
            yield from _lines(part, told)


def _places(trace: TracebackType | None) -> Iterator[str]:
    frames = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(trace)]
    if len(frames) > DEEPEST:
        half, left = DEEPEST // 2, len(frames) - DEEPEST
        frames[half:-half] = [f"  ... {left} more"]
    yield from frames


def _kind(error: BaseException) -> str:
    """Return the type of an exception; for an OSError also the system's message for its number."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    number = getattr(error, "errno", None)
    if isinstance(error, OSError) and isinstance(number, int):
        return f"{name}: {os.strerror(number)}"  # not error.strerror, which may hold anything
    return name


def _no_core_dump() -> None:
    """Turn off core dumps: the memory of a crashed process holds the data."""
    try:
        import resource
    except ImportError:  # Windows writes none by default
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _no_words() -> None:
    """Replace the hooks through which Python and libraries print messages."""
    sys.unraisablehook = lambda found: _failed("a clean-up", found.exc_value)
    threading.excepthook = lambda found: _failed("a thread", found.exc_value)
    warnings.showwarning = _warned
    logging.raiseExceptions = False  # else a log entry that fails to format prints its arguments
    if logging.getLogRecordFactory() is logging.LogRecord:
        logging.setLogRecordFactory(_record)


def _failed(what: str, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        _say(f"{what} failed:\n{trace_of(error)}\n{ADVICE}")


def _warned(message: Any, category: type[Warning], filename: str, lineno: int, *rest: Any) -> None:
    _say(f"{category.__name__} at {filename}:{lineno} ({DEBUG}=1 shows the message)")


def _record(*args: Any, **options: Any) -> logging.LogRecord:
    """Make a log record; the message is kept only if unteach wrote it."""
    made = logging.LogRecord(*args, **options)
    if made.name != "unteach" and not made.name.startswith("unteach."):
        made.msg = f"logged at {made.pathname}:{made.lineno} ({DEBUG}=1 shows the message)"
        made.args = made.exc_info = made.exc_text = made.stack_info = None
    return made


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
