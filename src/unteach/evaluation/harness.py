"""Run lm-evaluation-harness suites, which give scores without rows, one model at a time."""

import gc
from collections.abc import Mapping
from typing import Any

from unteach.evaluation.check import CheckedEvaluation
from unteach.evaluation.rows import loader
from unteach.metrics.difference import alike
from unteach.progress import ProgressListener
from unteach.report.grid import cell
from unteach.report.table import ALIKE
from unteach.suites._known_tasks import chance
from unteach.suites.harness import should_be
from unteach.types import Score

Scores = dict[str, dict[str, Score]]  # task -> metric -> score


def scores_of_all(plan: CheckedEvaluation, listener: ProgressListener) -> dict[str, Scores]:
    """The scores of every model by its label."""
    harness: Any = plan.suite.harness
    scores = {}
    for name, place in plan.places.items():
        listener.stage(f"asking: {name}")
        model = loader(place, plan)()
        scores[name] = harness(model, place.tokenizer, plan.options, progress=listener.progress)
        del model
        gc.collect()  # a small GPU has no room for this model and the next one
    return scores


def task_table(models: Mapping[str, Scores]) -> list[list[str]]:
    """Table with a line per task and metric: chance level, target, and the score of each model."""
    first = next(iter(models.values()), {})
    lines = [["task", "metric", "chance", "should be", *models]]
    for task, metrics in first.items():
        for metric in metrics:
            scores = {name: found.get(task, {}).get(metric) for name, found in models.items()}
            retrained = scores.get("retrained")
            cells = [
                (ALIKE if name != "retrained" and alike(score, retrained) else "") + cell(score)
                for name, score in scores.items()
            ]
            guessed = chance(task)
            level = "-" if guessed is None else f"{guessed:.2f}"
            lines.append([task, metric, level, should_be(task), *cells])
    return lines
