"""Run the cells of a benchmark, each as `unteach run`, and keep what is finished."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unteach.attacks._in_run import checked
from unteach.benchmark.memory import PeakMemory
from unteach.benchmark.request import BenchRequest
from unteach.errors import UserError, in_one_line
from unteach.evaluation.rescore import read_report
from unteach.files import RUN, read_sealed, write_sealed
from unteach.progress import ProgressListener
from unteach.report import Report
from unteach.settings.request import FILE as REQUEST
from unteach.settings.request import Request, load

CELLS, TUNED = "cells", "tuned"
KEPT = ("scores.json", "report.md", "report.html", "before-after.png", REQUEST, "rows", "attacks")
DONE, CANNOT, BROKEN = "done", "cannot run", "broken"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method with one seed.

    Attributes:
        method: name of the method.
        seed: of its training.
        state: "done", "cannot run" (with these inputs) or "broken" (training failed).
        why: the reason, where it is not done.
        seconds: of the whole run.
        peak: most bytes in use: of the accelerator, or of the process on a CPU.
        report: of the run, where it is done.
    """

    method: str
    seed: int
    state: str
    why: str = ""
    seconds: float = 0.0
    peak: int | None = None
    report: Report | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.method}-seed{self.seed}"


def cell_request(asked: BenchRequest, method: str, seed: int) -> Request:
    """Return the request of a cell: what `unteach run` would be asked."""
    run = shared_request(asked)
    found: dict[str, Any] = {"method": {"name": method}}
    if asked.tune:
        tuned = load(asked.out / TUNED / method / "best.yaml")
        run = run.model_copy(update={"adapter": tuned.adapter, "evaluate": tuned.evaluate})
        rates = {"learning_rate", "retain_weight"}
        train = run.train.model_copy(update={n: getattr(tuned.train, n) for n in rates})
        run, found = run.model_copy(update={"train": train}), {"method": tuned.method}
    train = run.train.model_copy(update={"seed": seed})
    out = asked.out / CELLS / f"{method}-seed{seed}"
    return run.model_copy(update={**found, "train": train, "out": out, "overwrite": False})


def shared_request(asked: BenchRequest) -> Request:
    """Return the request with the budget that all methods get."""
    if asked.epochs == "own":
        return asked.run
    train = {"epochs": float(asked.epochs), "rounds": 1}
    return asked.run.model_copy(update={"train": asked.run.train.model_copy(update=train)})


def run_cells(asked: BenchRequest, listener: ProgressListener) -> Iterator[Cell]:
    """Run every cell that is not finished; yield all of them, a whole seed after another.

    So a benchmark that is cut off has every method with the first seeds.
    """
    unable: dict[str, Cell] = {}
    total = len(asked.methods) * asked.seeds
    for seed in range(asked.seeds):
        for k, method in enumerate(asked.methods):
            number = seed * len(asked.methods) + k + 1
            if method in unable:
                _record(asked.out, cell := replace(unable[method], seed=seed))
                yield cell
                continue
            listener.stage(f"cell {number} of {total}: {method}, seed {seed}")
            cell = kept_cell(asked.out, method, seed)
            if cell is None or cell.state != DONE:  # what went wrong may be mended
                cell = _run(asked, method, seed, listener)
                _record(asked.out, cell)
            if cell.state == CANNOT:
                unable[method] = cell
            yield cell


def kept_cell(out: Path, method: str, seed: int) -> Cell | None:
    """Return a cell as it ended earlier; None where it did not, or its report is lost."""
    folder = out / CELLS / f"{method}-seed{seed}"
    held = read_sealed(folder.with_suffix(".json"))
    if held is None:
        return None
    report = None
    if held["state"] == DONE:
        try:
            report = read_report(folder)
        except UserError:  # deleted or damaged: it is run again
            return None
    told = {name: held[name] for name in ("state", "why", "seconds", "peak")}
    return Cell(method=method, seed=seed, report=report, **told)


def _run(asked: BenchRequest, method: str, seed: int, listener: ProgressListener) -> Cell:
    from unteach import pipeline

    began = time.monotonic()
    try:
        request = _anew(cell_request(asked, method, seed))
        checked(request)
    except UserError as error:
        return Cell(method=method, seed=seed, state=CANNOT, why=in_one_line(error.problems))
    with PeakMemory() as memory:
        try:
            report = pipeline.run(request, listener)
        except UserError as error:
            return Cell(method=method, seed=seed, state=BROKEN, why=in_one_line(error.problems))
    if not asked.keep_models:
        _without_model(request.out)
    return Cell(
        method=method, seed=seed, state=DONE, report=report,
        seconds=round(time.monotonic() - began, 1),
        peak=report.facts.get("peak_memory_bytes") or memory.peak,
    )  # fmt: skip


def _anew(request: Request) -> Request:
    """Replace what a cell that was not recorded has left in its folder, unless it is this run."""
    left = request.out.exists() and not (request.out / RUN).exists()
    return request.model_copy(update={"overwrite": left})


def _without_model(folder: Path) -> None:
    """Delete the weights and what belongs to them; numbers and reports stay."""
    for path in folder.iterdir():
        if path.name in KEPT:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _record(out: Path, cell: Cell) -> None:
    """Keep how a cell ended, beside its folder."""
    told = {name: getattr(cell, name) for name in ("state", "why", "seconds", "peak")}
    (out / CELLS).mkdir(parents=True, exist_ok=True)
    write_sealed(out / CELLS / f"{cell.name}.json", told)


def write_plan(asked: BenchRequest) -> None:
    """Write which cells the table has, so that it can be made again without a run."""
    (asked.out / CELLS).mkdir(parents=True, exist_ok=True)
    plan = {"methods": list(asked.methods), "seeds": asked.seeds, "about": budget_words(asked)}
    plan["tuned"] = bool(asked.tune)
    write_sealed(asked.out / CELLS / "plan.json", plan)


def read_plan(out: Path) -> dict[str, Any] | None:
    """Return what `write_plan` wrote; None where there is none."""
    return read_sealed(out / CELLS / "plan.json")


def budget_words(asked: BenchRequest) -> str:
    """Return the budget of every method, in words."""
    if asked.epochs == "own":
        own = "each method its own number of passes over the forget set"
    else:
        passes = f"{asked.epochs:g} pass{'' if asked.epochs == 1 else 'es'}"
        own = f"{passes} over the forget set for every method"
    tuned = "settings as each method has them"
    if asked.tune:
        tuned = f"settings searched for {asked.tune:g} s for each method, on the first half"
    return f"{own}; {tuned}"
