"""The models of a run, scored on its own data: the original, the unlearned, the retrained."""

from pathlib import Path
from typing import Any

from unteach.checks.request import CheckedRequest
from unteach.errors import Problem
from unteach.evaluation.cache import default_folder
from unteach.evaluation.loading import load
from unteach.evaluation.rows import cache_answers, cached_answers, check_numbers, rows_key
from unteach.metrics.earlier import is_forgotten
from unteach.models.unchanged import require_unchanged
from unteach.processes.main import shared
from unteach.progress import ProgressListener
from unteach.settings.request import Request
from unteach.suites import SUITES, AskSettings, Group
from unteach.suites.ask import ModelAnswers, endless_notes

KEPT = "its numbers were kept by an earlier run or evaluation: it is not asked again"


def answers_of_model(
    name: str, path: str, intake: CheckedRequest, listener: ProgressListener
) -> ModelAnswers:
    """Score one model of a run; the rows of models that were given are taken from the cache.

    The cache has no texts: where `keep_text` wants them, the model is prompted again.
    """
    request = intake.request
    given = request.evaluate.cache and name != "unlearned" and not request.keep_text
    folder = default_folder() if given else None
    key = shared(lambda: _key_of(path, intake)) if folder else ""
    if found := cached_answers(folder, key):
        listener.notes([Problem(f"evaluating: {name}", KEPT, kind="note")])
        listener.notes(endless_notes(found))
        return found
    found = evaluate(path, intake, listener)
    check_numbers(name, found.rows)
    shared(lambda: require_unchanged(intake.ages))  # else it would be kept for another model's
    cache_answers(folder, key, found, listener)
    return found


def _key_of(path: str, intake: CheckedRequest) -> str:
    request, (groups, settings) = intake.request, _questions(intake)
    return rows_key(
        {path, _base_of(path, start_of(intake))}, request.model, groups, settings,
        suite=SUITES.get("own"), dtype=request.dtype, device=request.device,
        bits=request.evaluate.bits,
    )  # fmt: skip


def _questions(intake: CheckedRequest) -> tuple[dict[str, Group], AskSettings]:
    """What the models of a run are asked, and how."""
    from unteach.suites.own import sample

    request = intake.request
    limit = request.evaluate.max_examples
    groups = {
        role: Group(examples=examples if is_forgotten(role) else sample(examples, limit))
        for role, examples in intake.groups.items()
    }
    settings = AskSettings(
        max_length=request.data.max_length or 2048,
        template=request.data.template,
        max_new_tokens=request.evaluate.max_new_tokens,
        tokens_per_batch=request.evaluate.tokens_per_batch,
    )
    return groups, settings


def evaluate(path: str, intake: CheckedRequest, listener: ProgressListener) -> ModelAnswers:
    """Score one model on disk, in the roles that have examples, beside the original."""
    from unteach.suites.ask import score_groups

    request, (groups, settings) = intake.request, _questions(intake)
    found = score_groups(
        lambda: _load(path, request, start_of(intake)),
        intake.tokenizer,
        groups,
        settings,
        original=lambda: _load(request.model, request, request.model),
        is_original=path == request.model,
        keep_text=request.keep_text,
        progress=listener.progress,
    )
    listener.notes(endless_notes(found))
    return found


def _load(path: str, request: Request, start: str) -> Any:
    """Load a model from disk; an adapter is loaded onto `start`."""
    return load(
        path,
        _base_of(path, start),
        dtype=request.dtype,
        device=request.device,
        bits=request.evaluate.bits,
        trust_remote_code=request.trust_remote_code,
        flag=_flag(path, request),
    )


def _base_of(path: str, start: str) -> str:
    """The model that a folder's adapters are loaded onto; the folder itself if it has none."""
    return start if Path(path, "adapter_config.json").exists() else path


def _flag(path: str, request: Request) -> str:
    """Name of a model in messages: its flag, or "the model in" for one that was written."""
    if path in (request.model, request.retrained):
        return "--model" if path == request.model else "--retrained"
    return "the model in"


def start_of(intake: CheckedRequest) -> str:
    """Path of the model that is trained: `--model`, or `--base` for methods that retrain."""
    request = intake.request
    return str(request.base) if intake.method.trains_on == "retain" else request.model
