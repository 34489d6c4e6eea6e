"""Check the training settings of a request, except for implausible numbers."""

import os
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.registry import did_you_mean
from unteach.settings.messages import told
from unteach.settings.request import Request
from unteach.settings.sections import DataSettings, TrainSettings

LIGER = "use_liger_kernel"


def training_problems(request: Request) -> list[Problem]:
    """Find problems of `train`, `train.extra` and `adapter` that need no model."""
    return [
        *_extra_arguments(request),
        *_schedule(request),
        *_without_adapters(request),
        *_memory(request),
        *_stopping_rules(request),
        *_trackers(request.train.report_to),
        *_processes(request),
    ]


def _processes(request: Request) -> list[Problem]:
    """Find why a step cannot be split over the running processes."""
    from accelerate import PartialState

    from unteach.processes.micro_batches import split_batch

    try:
        split_batch(
            request.train.batch_size,
            request.train.gradient_accumulation_steps,
            PartialState().num_processes,
        )
    except UserError as error:
        return list(error.problems)
    return []


def _without_adapters(request: Request) -> list[Problem]:
    """Find settings of adapters although all weights are trained."""
    what = "adapter.kind is full, so there is none"
    hint = "set adapter.kind=lora, or drop "
    settings = [
        ("--adapter-only", request.adapter_only),
        ("--init fila", request.adapter.init == "fila"),
        ("adapter.bits", request.adapter.bits),
    ]
    wrong = [flag for flag, is_set in settings if is_set and request.adapter.kind == "full"]
    return [Problem(flag, what, hint + flag, "request") for flag in wrong]


def _stopping_rules(request: Request) -> list[Problem]:
    """Find stopping rules whose data is missing, or that do not work with sharded weights."""
    from unteach.processes.launcher import sharding_asked

    train, found = request.train, list[Problem]()
    hint = "give --holdout a file of texts that the model never saw"
    for name, more in (("stop_at", ", or a probability"), ("draw_back", ", or set it to never")):
        if getattr(train, name) == "holdout" and not request.holdout:
            what = "is holdout, and there is none"
            found.append(Problem(f"train.{name}", what, hint + more, "request"))
    if train.min_kept and not (request.holdout or request.retain):
        what = f"is {train.min_kept:g}, and there is nothing to keep"
        found.append(Problem("train.min_kept", what, "give --retain or --holdout", "request"))
    if shards := sharding_asked(os.environ):
        settings = {
            "draw_back": train.draw_back in ("holdout", "made"),
            "min_kept": bool(train.min_kept),
        }
        settings["stop_at"] = train.stop_at == "holdout"
        what = f"needs the weights whole, and they are in shards ({shards})"
        found += [
            Problem(f"train.{name}", what, "leave it out, or take no shards", "request")
            for name, wanted in settings.items()
            if wanted
        ]
    return found


def _memory(request: Request) -> list[Problem]:
    train, bits = request.train, request.adapter.bits or request.evaluate.bits
    other = train.optim != _default("optim") or train.extra.keys() & {"optim_args", LIGER}
    if not (bits or other):  # transformers' trainer, which would be asked, takes long to import
        return []
    from unteach.training.memory import bits_notes, memory_problems

    return [*memory_problems(request), *bits_notes(request)]


def _default(name: str) -> Any:
    return TrainSettings.model_fields[name].default


def _schedule(request: Request) -> list[Problem]:
    name = request.train.lr_scheduler_type
    if name == _default("lr_scheduler_type") and "lr_scheduler_kwargs" not in request.train.extra:
        return []
    from unteach.training.config import EVALUATED, SCHEDULES, why_no_schedule

    if name in SCHEDULES:
        why = why_no_schedule(name, request.train.extra.get("lr_scheduler_kwargs"))
        hint = "set train.extra.lr_scheduler_kwargs={name: value}, or take linear or cosine"
        return (
            [Problem("train.lr_scheduler_type", f"{name}: {why}", hint, "request")] if why else []
        )
    if name in EVALUATED:
        what = f"{name} follows scores that are taken in training, and here none are"
        return [Problem("train.lr_scheduler_type", what, "take linear or cosine", "request")]
    hint = f"{did_you_mean(name, SCHEDULES).strip()} Known: {', '.join(SCHEDULES)}".strip()
    what = f"got {told(name, SCHEDULES)}, which is not a schedule"
    return [Problem("train.lr_scheduler_type", what, hint, "request")]


TWICE = ("extra", "adam_epsilon", "replay_weight")  # the latter two may stand in extra too
OWNED = {
    **{name: f"train.{name}" for name in TrainSettings.model_fields if name not in TWICE},
    **{name: f"data.{name}" for name in DataSettings.model_fields},
    "num_train_epochs": "train.epochs",
    "per_device_train_batch_size": "train.batch_size",
    "warmup_steps": "train.warmup_ratio",
    "activation_checkpointing": "train.gradient_checkpointing",
    "output_dir": "--out",
    "save_strategy": "train.checkpoint_minutes or train.checkpoint_steps",
    "save_steps": "train.checkpoint_steps",
    "save_total_limit": "nothing: the newest checkpoint is kept until the model is written",
    "save_only_model": "nothing: a run cannot go on from weights alone",
    "resume_from_checkpoint": "nothing: the same request goes on by itself",
    "eval_strategy": "nothing: unteach scores the model before and after training",
    "remove_unused_columns": "nothing: the trainer needs it as it is",
}
"""Arguments of the trainer that a setting, or unteach itself, decides, with what to use instead."""


def _extra_arguments(request: Request) -> list[Problem]:
    if not request.train.extra:
        return []
    from unteach.training.config import UnlearningConfig

    known = [f.name for f in fields(UnlearningConfig)]
    found = []
    for name in request.train.extra:
        where = f"train.extra.{name}"
        if name in OWNED:
            found.append(Problem(where, "has its own setting", f"use {OWNED[name]}", "request"))
        elif name not in known:
            hint = did_you_mean(name, known).strip()
            found.append(Problem(where, "transformers has no such argument", hint, "request"))
    extra = request.train.extra
    found += [*_uploads(extra), *_deepspeed(extra)]
    return found or _trainer_errors(request)


def _uploads(extra: dict[str, Any]) -> Iterator[Problem]:
    """Find a request to upload the model to the hub during training."""
    if extra.get("push_to_hub"):
        what = "sends the model away while it trains, before anyone has seen how it went"
        hint = "leave it out, and upload the result once its report is fine"
        yield Problem("train.extra.push_to_hub", what, hint, "request")


def _trackers(names: list[str]) -> Iterator[Problem]:
    """Find experiment trackers that are unknown or not installed."""
    if not names:
        return
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK as callbacks
    from transformers.integrations.integration_utils import (
        get_available_reporting_integrations as available,
    )

    where, known = "train.report_to", list(callbacks)
    for name in dict.fromkeys(names):
        if name in available():
            continue
        if name not in known:
            hint = f"{did_you_mean(name, known).strip()} Known: {', '.join(known)}".strip()
            yield Problem(where, f"got {told(name, known)}, which is no tracker", hint, "request")
            continue
        try:
            callbacks[name]()
        except (RuntimeError, ImportError) as error:
            hint = "install it, or leave it out"
            yield Problem(where, f"{name}: {str(error).splitlines()[0][:160]}", hint, "request")


def _deepspeed(extra: dict[str, Any]) -> Iterator[Problem]:
    """Find a DeepSpeed configuration that does not exist, or without DeepSpeed installed."""
    config, where = extra.get("deepspeed"), "train.extra.deepspeed"
    if config and not find_spec("deepspeed"):
        yield Problem(where, "DeepSpeed is not installed here", "leave it out", "request")
    elif isinstance(config, str) and not Path(config).is_file():
        hint = "give the path of a JSON file"
        yield Problem(where, "there is no such file", hint, "request")


def _trainer_errors(request: Request) -> list[Problem]:
    """Return the trainer's errors, without those of settings that are checked elsewhere."""
    from unteach.training.arguments import arguments

    plain = {"lr_scheduler_type": "linear", "optim": "sgd"}
    train = request.train.model_copy(update=plain)
    try:
        arguments(request.model_copy(update={"train": train}), "unused")
    except UserError as error:
        return list(error.problems)
    return []
