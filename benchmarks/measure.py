"""How the benchmarks of time and memory measure, and how they say what came out.

Times are of the processor (not the clock), on one thread, medians of runs that take turns in one
process. Peaks are of the resident memory, each in a process of its own, above what was resident
before the call. The two want opposite things of malloc: a time must not hold the page faults of
fresh memory, so what is freed is kept; a peak must not hold what was freed, so it goes back.
"""

import csv
import ctypes
import gc
import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, NamedTuple

import torch

RESULTS = Path(__file__).parent / "results"
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # the names of glibc's mallopt
PAGES = 1 << 16

Call = Callable[[], Any]
"""What is measured."""
Make = Callable[..., Call]
"""A module-level function that makes the inputs of a call and returns it."""


class Line(NamedTuple):
    """One comparison.

    Attributes:
        case: what is compared.
        unit: of the two figures.
        naive: the usual way's.
        ours: the same of ours.
        goal: what naive / ours must reach; None where there is no goal.
        products: of the matrix products alone, where they are a bound; None where they are not.
    """

    case: str
    unit: str
    naive: float
    ours: float
    goal: float | None = None
    products: float | None = None

    @property
    def ratio(self) -> float:
        return self.naive / self.ours

    @property
    def met(self) -> bool:
        return self.goal is None or self.ratio >= self.goal


# Measuring.


def alone(function: Callable, *arguments: Any) -> Any:
    """What a module-level function returns, run on one thread in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_on_one_thread, function, arguments).result()


def _on_one_thread(function: Callable, arguments: tuple) -> Any:
    torch.set_num_threads(1)
    return function(*arguments)


def seconds(makes: list[tuple[Make, tuple]], pairs: int) -> list[float]:
    """Median processor seconds of each call, in turn: a, b, a, b, ..., after one warm-up each."""
    return alone(_seconds, makes, pairs)


def _seconds(makes: list[tuple[Make, tuple]], pairs: int) -> list[float]:
    _mallopt(MMAP_MAX, 0)
    _mallopt(TRIM_THRESHOLD, -1)
    calls = [make(*arguments) for make, arguments in makes]
    found: list[list[float]] = [[] for _ in calls]
    for turn in range(pairs + 1):
        for call, times in zip(calls, found, strict=True):
            gc.collect()
            began = process_time()
            call()
            spent = process_time() - began
            if turn:
                times.append(spent)
    return [median(times) for times in found]


def peak(make: Make, arguments: tuple, small: tuple | None = None) -> float:
    """MiB that a call needs at its worst, what it leaves behind included, the inputs not.

    Args:
        make: makes the call.
        arguments: of `make`.
        small: arguments for a call before, which loads the libraries' code and buffers.
    """
    return alone(_peak, make, arguments, small)


def _peak(make: Make, arguments: tuple, small: tuple | None) -> float:
    _mallopt(MMAP_THRESHOLD, PAGES)
    if small is not None:
        make(*small)()
    call = make(*arguments)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    _forget_the_peak()
    before = _status("VmRSS")
    call()
    return (_status("VmHWM") - before) / 1024


def _mallopt(name: int, value: int) -> None:
    if not ctypes.CDLL(None).mallopt(name, value):
        raise RuntimeError("this is not glibc, whose malloc these figures need")


def _forget_the_peak() -> None:
    """Where that is not permitted, making the inputs must not have needed more than the call."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 1.02 * _status("VmRSS"):
            raise RuntimeError("the peak so far cannot be forgotten on this machine") from None


def _status(name: str) -> int:
    """KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


# Saying it.


def write_csv(path: Path, header: list[str], rows: list[list]) -> None:
    """One file of results; floats with four digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow([f"{x:.4g}" if isinstance(x, float) else x for x in row])


COLUMNS = ["case", "unit", "naive", "ours", "ratio", "goal", "verdict", "products alone"]


def report(name: str, lines: list[Line], *, keep: bool = True) -> None:
    """Print the comparisons; unless of a smoke test, keep them beside other cases in results/."""
    print(table(lines))
    if not keep:
        return
    file = RESULTS / f"{name}.csv"
    old = list(csv.reader(file.open(encoding="utf-8")))[1:] if file.exists() else []
    rows = {(cells[0], cells[1]): cells for cells in old}
    for line in lines:
        goal = "" if line.goal is None else f"{line.goal:.2f}"
        more = [line.ratio, goal, _verdict(line), line.products or ""]
        rows[line.case, line.unit] = [*line[:4], *more]
    write_csv(file, COLUMNS, list(rows.values()))


def table(lines: list[Line]) -> str:
    """The comparisons in Markdown."""
    head = "| case | unit | naive | ours | ratio | goal | | products alone |"
    rule = "|---|---|---:|---:|---:|---:|---|---:|"
    return "\n".join([head, rule, *map(row, lines)])


def row(line: Line) -> str:
    cells = [line.case, line.unit, _short(line.naive), _short(line.ours), f"{line.ratio:.2f}"]
    cells += ["" if line.goal is None else f"{line.goal:.2f}", _verdict(line)]
    cells += ["" if line.products is None else _short(line.products)]
    return "| " + " | ".join(cells) + " |"


def _verdict(line: Line) -> str:
    return "" if line.goal is None else "pass" if line.met else "miss"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> str:
    """What the figures were taken on."""
    return f"torch {torch.__version__}, {os.cpu_count()} shared cores, one thread"
