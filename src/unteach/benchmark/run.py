"""`unteach bench`: all cells, then the tables; or the tables alone from cells that are there."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unteach.benchmark.cells import (
    CELLS,
    DONE,
    TUNED,
    Cell,
    budget_words,
    kept_cell,
    read_plan,
    run_cells,
    shared_request,
    write_plan,
)
from unteach.benchmark.request import BenchRequest, bench_request
from unteach.benchmark.table import BenchResult, TableLine, columns_of, lines_of
from unteach.benchmark.write import NAMES, write
from unteach.checks.request import check
from unteach.errors import Problem, UserError, in_one_line
from unteach.evaluation.identity import identity_of
from unteach.progress import NoProgress, ProgressListener
from unteach.tuning.folder import identity_with, working
from unteach.tuning.request import SearchRequest
from unteach.tuning.run import search


def bench(
    asked: BenchRequest | None = None, listener: ProgressListener | None = None, **fields: Any
) -> BenchResult:
    """Run every method with every seed on the same budget, and write one table.

    A benchmark that was cut off goes on when the same request is given again: finished cells are
    kept. Methods and seeds can be added later.

    Args:
        asked: the settings.
        listener: receives the progress; None for no progress.
        fields: those of `bench_request` in its place: `model`, `forget`, `methods`, `seeds`, ...

    Raises:
        UserError: what is wrong with the request, or no cell could be run.

    Example:
        result = bench(model="my-model", forget="forget.jsonl", retain="retain.jsonl",
                       holdout="holdout.jsonl", methods="unseen,undial,npo", seeds=3, out="bench")
        [(line.name, line.means["retain probability"].text) for line in result.lines]
    """
    if asked is not None and fields:
        raise TypeError("give a BenchRequest, or its fields")
    asked = asked or bench_request(**fields)
    listener = listener or NoProgress()
    listener.stage("checking what all cells share")
    identity = _identity(asked)
    ours = (CELLS, TUNED, *NAMES)
    with working(asked.out, identity, ours, overwrite=asked.run.overwrite) as again:
        if again:
            listener.stage("going on with the cells that are there")
        write_plan(asked)
        asked, why = _tuned(asked, listener) if asked.tune else (asked, {})
        cells = list(run_cells(asked, listener))
        cells += [Cell(method=m, seed=0, state="cannot run", why=w) for m, w in why.items()]
        if not any(cell.state == DONE for cell in cells):
            reasons = dict.fromkeys((cell.method, cell.why) for cell in cells)
            raise UserError(*(Problem(f"--methods {m}", w) for m, w in reasons))
        result = _result(asked.out, cells, (*asked.methods, *why), budget_words(asked))
        result = _with_next(result, asked)
        write(result)
        return result


def tables_only(out: Path) -> BenchResult:
    """Make the tables anew from the cells in a folder; nothing is run.

    Raises:
        UserError: the folder has no cells.
    """
    plan = read_plan(out)
    if plan is None:
        hint = "give the folder that `unteach bench` wrote"
        raise UserError(Problem(f"--out {out}", "has no cells of a benchmark", hint, "request"))
    names = [(m, seed) for seed in range(plan["seeds"]) for m in plan["methods"]]
    found = [kept_cell(out, method, seed) for method, seed in names]
    cells = [cell for cell in found if cell]
    if not cells:
        hint = "give the command without --table-only to run them"
        raise UserError(Problem(f"--out {out}", "has no finished cell yet", hint, "request"))
    result = _result(out, cells, plan["methods"], plan["about"])
    result = _with_next(result, None, len(names) - len(cells))
    write(result)
    return result


def _identity(asked: BenchRequest) -> str:
    """Hash of what all cells depend on; which methods and seeds there are does not count."""
    shared = shared_request(asked)
    plain = shared.model_copy(
        update={"method": {"name": "graddiff"}, "out": asked.out / CELLS / "x", "overwrite": True}
    )
    return identity_with(identity_of(check(plain))[0], {"tune": asked.tune})


def _tuned(
    asked: BenchRequest, listener: ProgressListener
) -> tuple[BenchRequest, Mapping[str, str]]:
    """Search settings for each method; return the request of those that have some."""
    why: dict[str, str] = {}
    half = asked.run.evaluate.model_copy(update={"half": "second"})
    shared = shared_request(asked).model_copy(update={"evaluate": half, "overwrite": False})
    for method in asked.methods:
        out = asked.out / TUNED / method
        listener.stage(f"searching settings of {method}")
        wanted = SearchRequest(
            run=shared.model_copy(update={"out": out / "best"}), out=out, methods=(method,),
            budget=asked.tune or 1.0, confirm=False,
        )  # fmt: skip
        try:
            search(wanted, listener)
        except UserError as error:
            why[method] = in_one_line(error.problems)
    able = tuple(method for method in asked.methods if method not in why)
    if not able:
        raise UserError(*(Problem(f"--methods {m}", w) for m, w in why.items()))
    return asked.model_copy(update={"methods": able}), why


def _result(out: Path, cells: list[Cell], methods: Any, about: str) -> BenchResult:
    lines = lines_of(cells, methods)
    return BenchResult(
        lines=lines, columns=columns_of(lines), cells=tuple(cells), about=about, folder=out,
        facts=_facts(cells),
    )  # fmt: skip


def _facts(cells: list[Cell]) -> dict[str, Any]:
    states = [cell.state for cell in cells]
    done = [cell.report for cell in cells if cell.report]
    counts = {state.replace(" ", "_"): states.count(state) for state in dict.fromkeys(states)}
    examples = dict(done[0].facts.get("examples", {})) if done else {}
    return {
        "cells": len(cells),
        **counts,
        **{f"{role} examples": n for role, n in examples.items()},
        "hours": round(sum(cell.seconds for cell in cells) / 3600, 3),
        "unteach": version("unteach"),
    }


def _with_next(result: BenchResult, asked: BenchRequest | None, lacking: int = 0) -> BenchResult:
    best = best_line(result)
    cell = result.folder / CELLS / f"{best.name}-seed0" if best else None
    if lacking or cell is None:
        again = "the same command again, without --table-only"
        return replace(result, next=f"{again}: {lacking} of its cells are missing")
    if asked and asked.keep_models:
        parts = ["unteach", "attack", "--model", str(cell), "--original", asked.run.model]
        return replace(result, next=shlex.join([*parts, "--forget", asked.run.forget]))
    run = ["unteach", "run", str(cell / "request.yaml"), "--out", f"unlearned-{cell.name}"]
    return replace(result, next=shlex.join(run))


def best_line(result: BenchResult) -> TableLine | None:
    """Return the method with the best mean, of closeness if there is a retrained model.

    Otherwise the harmonic mean of 1 - |2 AUC - 1| and of the retain probability.
    """
    able = [line for line in result.lines if line.seeds]
    return max(able, key=_rank, default=None)


def _rank(line: TableLine) -> float:
    def of(name: str) -> float | None:
        return line.means[name].value if name in line.means else None

    if (close := of("closeness to retrained")) is not None:
        return close
    area, kept = of("membership AUC"), of("retain probability")
    if area is None or kept is None:
        return 0.0
    hidden = 1 - abs(2 * area - 1)
    return 2 * hidden * kept / (hidden + kept) if hidden + kept else 0.0
