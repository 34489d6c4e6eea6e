"""Try a model's chat template and tokenizer in a forked process with limits, before using them.

Both are code of the model's author, and cannot be stopped while they run: a regular expression in
Rust, `'a' * 10**10` in a template. A thread cannot be killed, and a limit on the output of a
template does not limit what it computes. So a few short examples go through both in a forked
process with limits on CPU time and memory; that costs about 30 ms. Starting a new process would
take seconds for imports. Only on Linux: on other systems the limits have no effect, or there is no
fork.
"""

import faulthandler
import gc
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from unteach.data.encoding.render import render
from unteach.errors import Problem, UserError
from unteach.types import Example

SECONDS = 5  # CPU time
MEMORY = 2**29  # bytes in addition to those of this process
PATIENCE = 60  # seconds of wall time, for a process that hangs without using the CPU
SHORT = 10_000  # characters to which a tried text is cut
GROWS, MORE = 20, 100_000  # the output may have GROWS times the characters, plus MORE
MEMORY_OUT, TOO_LONG, BROKEN = 3, 4, 5  # exit codes


def try_tokenizer(
    tokenizer: Any, groups: dict[str, list[Example]], template: str = "auto", where: str = ""
) -> list[Problem]:
    """Find a template or tokenizer that takes too long or whose output is far too long.

    Args:
        tokenizer: of the model.
        groups: examples of each role; the longest of each is tried, and the one with most turns.
        template: see `encode`.
        where: name of the model in messages; may be empty.
    """
    tried = [example for examples in groups.values() for example in _samples(examples)]
    hint = "give a model whose files you trust"
    if why := blown(lambda: _rendered(tried, tokenizer, template)):
        hint += ", or use data.template=plain"
        return [Problem(where or "data.template", f"the chat template {why}", hint)]
    if why := blown(lambda: _tokenised(tried, tokenizer)):
        what = "the tokenizer " if where else ""
        return [Problem(where or "tokenizer", f"{what}{why}", hint)]
    return []


def blown(work: Callable[[], None]) -> str:
    """Run a function in a forked process with limits; return why it failed, empty if it did not.

    Exceptions in the fork are ignored, since the function raises them again when it is used. The
    result is also empty where nothing can be tried.

    Args:
        work: raises `OutOfProportion` where its output is too large.

    Example:
        >>> blown(lambda: None)
        ''
    """
    if sys.platform != "linux":
        return ""
    with warnings.catch_warnings(action="ignore"):  # Python 3.12 warns where there are threads
        child = os.fork()
    if not child:
        _run_in_fork(work)
    status, used = _wait_for(child)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and used >= 1):
        return f"takes more than {SECONDS} seconds for a short text"
    if code == -signal.SIGKILL:
        return ""
    if code == TOO_LONG:
        return f"makes more than {GROWS} times its length of a short text"
    if code == MEMORY_OUT or code < 0:
        return f"takes more than {MEMORY // 2**20} MB for a short text, or breaks"
    return "breaks" if code == BROKEN else ""


class OutOfProportion(Exception):
    """The output is far longer than the input."""


def _run_in_fork(work: Callable[[], None]) -> None:
    """Run the function in the fork, with limits; never returns."""
    code = BROKEN
    try:
        import resource

        gc.disable()  # a collection would touch, and so copy, all memory of the parent
        faulthandler.disable()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        with open("/proc/self/statm", encoding="ascii") as file:
            current = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        for limit, most in (
            (resource.RLIMIT_AS, current + MEMORY),
            (resource.RLIMIT_CPU, SECONDS),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(limit)[1]
            soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (soft, hard))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        work()
        code = 0
    except MemoryError:
        code = MEMORY_OUT
    except OutOfProportion:
        code = TOO_LONG
    except Exception:
        code = 0
    finally:
        os._exit(code)


def _wait_for(child: int) -> tuple[int, float]:
    """Wait for the fork; return its exit status, and the CPU time that it took in seconds."""
    end, pause = time.monotonic() + PATIENCE, 0.002
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return status, usage.ru_utime + usage.ru_stime
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def _samples(examples: list[Example]) -> Iterable[Example]:
    """Select the longest example and the one with the most turns, cut to `SHORT` characters."""
    if not examples:
        return []
    found = [max(examples, key=_size), max(examples, key=lambda e: len(e.turns))]
    return [_truncated(e) for e in {e.id: e for e in found}.values()]


def _size(example: Example) -> int:
    return len(example.text) + sum(len(turn.text) for turn in example.turns)


def _truncated(example: Example) -> Example:
    most = SHORT // max(len(example.turns), 1)
    turns = tuple(replace(turn, text=turn.text[:most]) for turn in example.turns)
    return replace(example, text=example.text[:SHORT], turns=turns, spans=())


def _rendered(examples: list[Example], tokenizer: Any, template: str) -> None:
    for example in examples:
        try:
            made = render(example, tokenizer, template).text
        except UserError as error:
            if isinstance(error.__context__, MemoryError):
                raise error.__context__ from None
            continue  # the same error is reported when the example is encoded
        if len(made) > GROWS * _size(example) + MORE:
            raise OutOfProportion


def _tokenised(examples: list[Example], tokenizer: Any) -> None:
    for example in examples:
        text = example.text or "\n".join(turn.text for turn in example.turns)
        ids = tokenizer(text, verbose=False)["input_ids"]
        if len(ids) > GROWS * len(text) + MORE or (
            len(tokenizer.decode(ids)) > GROWS * len(text) + MORE
        ):
            raise OutOfProportion
