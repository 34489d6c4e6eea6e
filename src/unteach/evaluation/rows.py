"""Compute the rows of each model, or read them from the cache; one model in memory at a time."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.evaluation import cache
from unteach.evaluation.check import CheckedEvaluation, ModelRef
from unteach.evaluation.hashes import code_hash, data_hash, model_hash
from unteach.evaluation.loading import load
from unteach.models.unchanged import require_unchanged
from unteach.processes.main import is_main, shared
from unteach.progress import ProgressListener
from unteach.suites.ask import GeneratedTexts, ModelAnswers
from unteach.types import Row

Rows = dict[str, list[Row]]


def rows_of_all(
    plan: CheckedEvaluation, listener: ProgressListener
) -> tuple[dict[str, Rows], dict[str, Any], dict[str, tuple[GeneratedTexts, ...]]]:
    """Rows, counts and generated texts of all models, each by model label."""
    rows, counts, spoken = {}, {}, {}
    for name in plan.places:
        listener.stage(f"asking: {name}")
        found = rows_of(name, plan, listener)
        rows[name], counts[name], spoken[name] = found.rows, found.counts, found.spoken
    if plan.never:
        rows["retrained"] = plan.never
        counts["retrained"] = {"from": "rows given"}
    return rows, counts, spoken


def rows_of(name: str, plan: CheckedEvaluation, listener: ProgressListener) -> ModelAnswers:
    """The rows of one model, from the cache if they are in it.

    The cache holds no texts: if these are requested, the rows are computed again.
    """
    folder = plan.asked.cache
    key = shared(lambda: key_of(name, plan))
    if not plan.asked.keep_text and (cached := cached_answers(folder, key)):
        return cached
    found = ask_model(name, plan, listener)
    shared(lambda: require_unchanged(plan.ages))  # else rows would be cached under a wrong key
    cache_answers(folder, key, found, listener)
    return found


def cached_answers(folder: Path | None, key: str) -> ModelAnswers | None:
    """Rows from the cache, on all processes; None where it has none under this key."""
    found = shared(lambda: cache.find(folder, key))
    if not found:
        return None
    rows, about = found
    return ModelAnswers(rows, {**about.get("counts", {}), "from": "cache"})


def cache_answers(
    folder: Path | None, key: str, found: ModelAnswers, listener: ProgressListener
) -> None:
    """Write rows to the cache, on the main process; if that fails, note it and go on."""
    if not is_main():
        return
    try:
        cache.keep(folder, key, found.rows, found.counts)
    except OSError as error:
        what = f"rows cannot be kept there ({error.strerror})"
        hint = "they will be asked again; give another folder, or --no-cache"
        listener.notes([Problem(f"--cache {folder}", what, hint, "note")])


def ask_model(name: str, plan: CheckedEvaluation, listener: ProgressListener) -> ModelAnswers:
    """Load a model and compute all its rows."""
    from unteach.suites.ask import endless_notes, score_questions

    place, original = plan.places[name], plan.places.get("original")
    found = score_questions(
        plan.questions(place.tokenizer),
        list(plan.groups),
        loader(place, plan),
        place.tokenizer,
        tokens_per_batch=plan.settings.tokens_per_batch,
        original=loader(original, plan) if original else None,
        is_original=original is not None and place.path == original.path,
        states=plan.states,
        gradient_norms=plan.asked.gradient_norms,
        keep_text=plan.asked.keep_text,
        progress=listener.progress,
    )
    check_numbers(name, found.rows)
    listener.notes(endless_notes(found))
    return found


def check_numbers(name: str, rows: Rows) -> None:
    """Raise UserError if rows hold nan or infinity, as they do with broken weights."""
    found = [row for group in rows.values() for row in group]
    if broken := sum(not _finite(row) for row in found):
        what = f"gave numbers that are infinite or none at all for {broken} of {len(found)} texts"
        hint = "its weights hold such numbers, or its dtype is too narrow: try --dtype float32"
        raise UserError(Problem(f"model {name}", what, hint))


def _finite(row: Row) -> bool:
    values = (v if isinstance(v, tuple) else (v,) for v in vars(row).values())
    return all(math.isfinite(x) for numbers in values for x in numbers if isinstance(x, float))


def loader(place: ModelRef, plan: CheckedEvaluation) -> Callable[[], Any]:
    """A function that loads the model onto this process's device."""
    asked = plan.asked
    return lambda: load(
        place.path,
        place.base,
        dtype=asked.dtype,
        device=asked.device,
        bits=asked.bits,
        trust_remote_code=asked.trust_remote_code,
        flag=place.flag,
        whole=plan.suite.harness is not None,
    )


def key_of(name: str, plan: CheckedEvaluation) -> str:
    """Cache key of a model's rows: a hash of everything they depend on.

    Empty without a cache, and where one of these is not known.
    """
    from unteach.models.loading import pick_device

    place, asked, original = plan.places[name], plan.asked, plan.places.get("original")
    if not asked.cache:
        return ""
    hashes = [model_hash(path) for path in {place.path, place.base}]
    return cache.key_of(
        {
            "model": None if None in hashes else sorted(map(str, hashes)),
            "original": model_hash(original.path) if original else "none",
            "data": data_hash(plan.groups),
            "suite": [plan.suite.name, plan.suite.version],
            "settings": asdict(plan.settings),
            "code": code_hash(),
            "how": [asked.dtype, pick_device(asked.device).type, asked.bits, asked.gradient_norms],
        }
    )
