"""A model's template and tokenizer are tried in a copy of this process before they are used in it.

Both are programs of the model's author, and run where nothing can stop them: a regular expression
in Rust, `'a' * 10**10` in a template. A thread cannot be ended, and a budget on what a template
puts out does not see what it computes. So a few short examples go through both in a forked process
that may take so many seconds and so many bytes more; that costs about 30 ms. A new process instead
of a fork would import for seconds. Where the system is not Linux nothing is tried: elsewhere the
limits do not hold, or there is no fork.
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

SECONDS = 5  # of one processor
MEMORY = 2**29  # bytes more than this process has
PATIENCE = 60  # seconds by the clock, for a copy that hangs without doing anything
SHORT = 10_000  # characters of a text that is tried
GROWS, MORE = 20, 100_000  # times its characters, and so many more, that a text may become
MEMORY_OUT, TOO_LONG, BROKEN = 3, 4, 5  # exit codes


def try_tokenizer(
    tokenizer: Any, groups: dict[str, list[Example]], template: str = "auto", where: str = ""
) -> list[Problem]:
    """What is wrong with a template or a tokenizer that takes too long, or makes far too much.

    Args:
        tokenizer: of the model.
        groups: examples of each role; of each a long one is tried, and one of many turns.
        template: see `encode`.
        where: what messages call the model; may be empty.
    """
    tried = [example for examples in groups.values() for example in _few(examples)]
    hint = "give a model whose files you trust"
    if why := blown(lambda: _rendered(tried, tokenizer, template)):
        hint += ", or use data.template=plain"
        return [Problem(where or "data.template", f"the chat template {why}", hint)]
    if why := blown(lambda: _tokenised(tried, tokenizer)):
        what = "the tokenizer " if where else ""
        return [Problem(where or "tokenizer", f"{what}{why}", hint)]
    return []


def blown(work: Callable[[], None], *, seconds: int = SECONDS, memory: int = MEMORY) -> str:
    """Why a piece of work should not be done here; nothing where it may, or nobody knows.

    It is done in a copy of this process, whose exceptions are not told: they come again.

    Args:
        work: raises `TooMuch` where what it makes is too large.
        seconds: of one processor that it may take.
        memory: bytes that it may take.

    Example:
        >>> blown(lambda: None)
        ''
    """
    if sys.platform != "linux":
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns where there are threads
        child = os.fork()
    if not child:
        _do(work, seconds, memory)
    status, used = _waited(child)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and used >= 1):
        return f"takes more than {seconds} seconds for a short text"
    if code == -signal.SIGKILL:
        return ""
    if code == TOO_LONG:
        return f"makes more than {GROWS} times its length of a short text"
    if code == MEMORY_OUT or code < 0:
        return f"takes more than {memory // 2**20} MB for a short text, or breaks"
    return "breaks" if code == BROKEN else ""


class OutOfProportion(Exception):
    """What comes out is out of proportion."""


def _do(work: Callable[[], None], seconds: int, memory: int) -> None:
    """In the copy; never returns."""
    code = BROKEN
    try:
        import resource

        gc.disable()  # it would go over all that the parent has, and copy it
        faulthandler.disable()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        with open("/proc/self/statm", encoding="ascii") as file:
            there = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        for limit, most in (
            (resource.RLIMIT_AS, there + memory),
            (resource.RLIMIT_CPU, seconds),
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


def _waited(child: int) -> tuple[int, float]:
    """How it ended, and the seconds of a processor that it took."""
    end, pause = time.monotonic() + PATIENCE, 0.002
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return status, usage.ru_utime + usage.ru_stime
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def _few(examples: list[Example]) -> Iterable[Example]:
    """Two of them, cut where they are long."""
    if not examples:
        return []
    found = [max(examples, key=_size), max(examples, key=lambda e: len(e.turns))]
    return [_cut(e) for e in {e.id: e for e in found}.values()]


def _size(example: Example) -> int:
    return len(example.text) + sum(len(turn.text) for turn in example.turns)


def _cut(example: Example) -> Example:
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
            continue  # it is told where it comes again
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
