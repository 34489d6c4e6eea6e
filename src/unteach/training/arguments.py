"""Make the trainer's arguments from a request."""

import os
from dataclasses import fields
from typing import Any

import torch
from accelerate import PartialState

from unteach.errors import Problem, UserError
from unteach.models.loading import pick_device
from unteach.processes.launcher import sharding_asked
from unteach.processes.micro_batches import split_batch
from unteach.settings.messages import without_texts
from unteach.settings.request import Request
from unteach.training.config import UnlearningConfig


def arguments(request: Request, folder: str) -> UnlearningConfig:
    """Return the trainer's arguments. Raises UserError if it refuses them."""
    train = request.train
    half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    # By default accelerate would let processes without an accelerator train independently.
    lacks_other = sharding_asked(os.environ) is None and pick_device(request.device).type == "cpu"
    cpu = request.device == "cpu" or lacks_other
    options: dict[str, Any] = {
        "bf16": half and not cpu,
        "use_cpu": cpu,
        **train.extra,
    }
    try:
        return _config(request, folder, options)
    # For invalid or conflicting values, missing packages and missing files.
    except (TypeError, ValueError, ImportError, OSError) as error:
        where, hint = ("train.extra", "mend or drop it") if train.extra else ("train", "")
        given_words = {"optim": train.optim, **train.extra}
        what = f"the trainer refuses it: {without_texts(str(error), given_words)}"
        raise UserError(Problem(where, what, hint, "request")) from error


def _config(request: Request, folder: str, options: dict[str, Any]) -> UnlearningConfig:
    train = request.train
    batch, accumulation = split_batch(
        train.batch_size, train.gradient_accumulation_steps, PartialState().num_processes
    )
    return UnlearningConfig(
        output_dir=folder,
        learning_rate=train.learning_rate,
        num_train_epochs=train.epochs,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        retain=train.retain,
        retain_weight=train.retain_weight,
        replay_weight=train.replay_weight,
        stop_at=0.0 if train.stop_at == "holdout" else train.stop_at,  # WeightWatch stops it
        seed=train.seed,
        lr_scheduler_type=train.lr_scheduler_type,
        warmup_steps=train.warmup_ratio,
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        adam_epsilon=train.adam_epsilon,
        rounds=train.rounds,
        optim=train.optim,
        report_to=train.report_to or "none",
        sam=train.sam,
        packing=train.packing,
        refusals=request.data.refusals,
        refusal=request.data.refusal,
        **_checkpointing(train.gradient_checkpointing),
        max_length=request.data.max_length,
        template=request.data.template,
        disable_tqdm=True,
        save_total_limit=1,
        **options,
    )


def _checkpointing(wanted: bool) -> dict[str, bool]:
    """Return the option for activation checkpointing, which transformers renamed in 5.23."""
    names = {f.name for f in fields(UnlearningConfig)}
    new = "activation_checkpointing"
    return {new if new in names else "gradient_checkpointing": True} if wanted else {}
