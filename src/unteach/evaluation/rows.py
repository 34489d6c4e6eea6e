"""The rows of each model, asked once and kept: one model in memory at a time."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.evaluation import cache
from unteach.evaluation.check import CheckedEvaluation, ModelRef
from unteach.evaluation.hashes import code_hash, data_hash, model_hash
from unteach.evaluation.loading import load
from unteach.models.unchanged import Ages, ages_of, require_unchanged
from unteach.processes.main import is_main, shared
from unteach.progress import ProgressListener
from unteach.suites import AskSettings, Group, Suite
from unteach.suites.ask import GeneratedTexts, ModelAnswers
from unteach.types import Row

Rows = dict[str, list[Row]]


def rows_of_all(
    plan: CheckedEvaluation, listener: ProgressListener
) -> tuple[dict[str, Rows], dict[str, Any], dict[str, tuple[GeneratedTexts, ...]]]:
    """By each model's label its rows, what making them took, and what it said in words."""
    rows, counts, spoken = {}, {}, {}
    before = ages_of(path for place in plan.places.values() for path in (place.path, place.base))
    for name in plan.places:
        listener.stage(f"asking: {name}")
        found = rows_of(name, plan, listener, before)
        rows[name], counts[name], spoken[name] = found.rows, found.counts, found.spoken
    if plan.never:
        rows["retrained"] = plan.never
        counts["retrained"] = {"from": "rows given"}
    return rows, counts, spoken


def rows_of(
    name: str, plan: CheckedEvaluation, listener: ProgressListener, before: Mapping[str, Ages]
) -> ModelAnswers:
    """The rows of one model, from the cache where they were made before.

    The cache has no texts: where these are wanted, the model is asked again.
    """
    folder = plan.asked.cache
    key = shared(lambda: key_of(name, plan))
    wanted = plan.asked.keep_text
    if found := None if wanted else kept(folder, key):
        return found
    found = ask_model(name, plan, listener)
    shared(lambda: require_unchanged(before))  # else they would be kept for another model's
    keep(folder, key, found, listener)
    return found


def kept(folder: Path | None, key: str) -> ModelAnswers | None:
    """What the cache has under a key, on all processes; None where it has nothing."""
    found = shared(lambda: cache.find(folder, key))
    if not found:
        return None
    rows, about = found
    return ModelAnswers(rows, {**about.get("counts", {}), "from": "cache"})


def keep(folder: Path | None, key: str, found: ModelAnswers, listener: ProgressListener) -> None:
    """Put the rows into the cache; the main process does."""
    if is_main():
        _keep(folder, key, found.rows, found.counts, listener)


def _keep(
    folder: Path | None, key: str, rows: Rows, counts: dict[str, Any], listener: ProgressListener
) -> None:
    """Rows that cannot be kept are no reason to lose them."""
    try:
        cache.keep(folder, key, rows, counts)
    except OSError as error:
        what = f"rows cannot be kept there ({error.strerror})"
        hint = "they will be asked again; give another folder, or --no-cache"
        listener.notes([Problem(f"--cache {folder}", what, hint, "note")])


def ask_model(name: str, plan: CheckedEvaluation, listener: ProgressListener) -> ModelAnswers:
    """Load a model and ask it everything."""
    from unteach.suites.ask import ask, endless_notes

    place, original = plan.places[name], plan.places.get("original")
    found = ask(
        loader(place, plan),
        place.tokenizer,
        plan.groups,
        plan.settings,
        original=loader(original, plan) if original else None,
        is_original=original is not None and place.path == original.path,
        gradient_norms=plan.asked.gradient_norms,
        keep_text=plan.asked.keep_text,
        progress=listener.progress,
    )
    check_numbers(name, found.rows)
    listener.notes(endless_notes(found))
    return found


def check_numbers(name: str, rows: Rows) -> None:
    """Weights that are broken give no scores; better said of the model than of its rows."""
    given = [row for group in rows.values() for row in group]
    if broken := sum(not _finite(row) for row in given):
        what = f"gave numbers that are infinite or none at all for {broken} of {len(given)} texts"
        hint = "its weights hold such numbers, or its dtype is too narrow: try --dtype float32"
        raise UserError(Problem(f"model {name}", what, hint))


def _finite(row: Row) -> bool:
    values = (v if isinstance(v, tuple) else (v,) for v in vars(row).values())
    return all(math.isfinite(x) for numbers in values for x in numbers if isinstance(x, float))


def loader(place: ModelRef, plan: CheckedEvaluation) -> Callable[[], Any]:
    """A function that loads the model, on this process's own device where there are several."""
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
    """The cache's name for one model's rows: a hash of all that they depend on."""
    if not plan.asked.cache:
        return ""
    place, asked = plan.places[name], plan.asked
    original = plan.places.get("original")
    return rows_key(
        {place.path, place.base}, original.path if original else None, plan.groups, plan.settings,
        suite=plan.suite, dtype=asked.dtype, device=asked.device, bits=asked.bits,
        gradient_norms=asked.gradient_norms,
    )  # fmt: skip


def rows_key(
    model: set[str],
    original: str | None,
    groups: Mapping[str, Group],
    settings: AskSettings,
    *,
    suite: Suite,
    dtype: str,
    device: str,
    bits: int | None,
    gradient_norms: bool = False,
) -> str:
    """A hash of all that the rows of a model depend on; empty where something is not known.

    Args:
        model: its path, and that of the base that its adapters are put on.
        original: the path of the model that it is compared with.
        groups: the questions.
        settings: how they are put.
        suite: which version of which suite they are from.
        dtype: of the weights in memory.
        device: as asked for; the kind of it counts.
        bits: 4, or None.
        gradient_norms: whether they are measured.
    """
    from unteach.models.loading import pick_device

    hashes = [model_hash(path) for path in model]
    return cache.key_of(
        {
            "model": None if None in hashes else sorted(map(str, hashes)),
            "original": model_hash(original) if original else "none",
            "data": data_hash(groups),
            "suite": [suite.name, suite.version],
            "settings": asdict(settings),
            "code": code_hash(),
            "how": [dtype, pick_device(device).type, bits, gradient_norms],
        }
    )
