"""Run the demo: train two models from scratch, unlearn, compare, and write the report."""

import os
import time
from pathlib import Path
from typing import Any

from unteach.demo import jobs
from unteach.demo.settings import PRESETS, TRAIN
from unteach.demo.settings import methods as known_methods
from unteach.demo.workers import JobListener, Workers
from unteach.evaluation.results import judge, versions, write
from unteach.files import staged
from unteach.report import Report


def run(
    out: Path,
    method: str,
    *,
    board: JobListener,
    seed: int = 0,
    preset: str = "default",
    workers: int | None = None,
) -> Report:
    """Make a world, train on it, unlearn, evaluate, and write everything to `out`.

    Args:
        out: the folder to write.
        method: a method's name, or "all"; then a second retrained model shows how much two models
            differ that never saw the forget set.
        board: receives the progress of the jobs.
        seed: of world, weights and order.
        preset: "default" or "tiny".
        workers: number of processes; None for the number of cores, at most that of jobs.
    """
    every = method == "all"
    methods = {name: name for name in known_methods()} if every else {"unlearned": method}
    rivals = ("retrained", "retrained-2") if every else ("retrained",)
    count = workers or min(os.cpu_count() or 1, len(methods) + 1 + len(rivals))
    began = time.monotonic()
    with staged(out, overwrite=is_demo(out)) as folder, Workers(count, board) as pool:
        pool.run({"making a world": (jobs.prepare, (folder, seed, preset))})
        models = ("original", *rivals)
        pool.run(
            {
                f"training {name}": (jobs.train, (folder, name, seed + k, preset))
                for k, name in enumerate(models)
            }
        )
        found = pool.run(
            {
                **{f"unlearning with {m}": (jobs.unlearn, (folder, m, name, seed))
                   for name, m in methods.items()},
                **{f"evaluating {name}": (jobs.score, (folder, name)) for name in models},
            }
        )  # fmt: skip
        done = {name: found[f"unlearning with {m}"] for name, m in methods.items()}
        rows = {
            "original": found["evaluating original"],
            **{name: result["rows"] for name, result in done.items()},
            **{name: found[f"evaluating {name}"] for name in rivals},
        }
        facts = {"world": f"seed {seed}, preset {preset}", **_facts(done), **versions()}
        facts["seconds"] = round(time.monotonic() - began, 1)
        report = _report(methods, rows, facts, done)
        write(report, rows, folder)
    return report


def _facts(done: dict[str, Any]) -> dict[str, Any]:
    if len(done) == 1:
        return next(iter(done.values()))["facts"]
    return {f"{name} seconds": result["facts"]["training_seconds"] for name, result in done.items()}


def _report(
    methods: dict[str, str], rows: dict[str, Any], facts: dict[str, Any], done: dict[str, Any]
) -> Report:
    from unteach.methods import METHODS

    classes = [METHODS.get(name) for name in methods.values()]
    request = next(iter(done.values()))["request"] if len(done) == 1 else {}
    # Paths are left out, since they lie in a temporary folder that is renamed.
    kept = {k: request[k] for k in ("method", "adapter", "train", "data") if k in request}
    label = classes[0].label or classes[0].name if len(classes) == 1 else "all methods, demo world"
    return Report(
        **judge(rows),
        label=label,
        papers=tuple(cls.paper for cls in classes),
        request=kept or {name: TRAIN.get(name, {}) for name in methods.values()},
        facts=facts,
    )


def is_demo(folder: Path) -> bool:
    """Whether a folder holds an earlier demo, which may be replaced."""
    return (folder / "scores.json").exists() and (folder / "data" / "world.jsonl").exists()


__all__ = ["PRESETS", "is_demo", "run"]
