"""Train a loaded model to forget, as a request says."""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from unteach.errors import Problem, UserError
from unteach.methods import Method
from unteach.models.finite import require_numbers
from unteach.models.loading import pick_device
from unteach.processes.launcher import sharding_asked, spread
from unteach.processes.micro_batches import split_batch
from unteach.processes.share import from_main, together
from unteach.progress import ProgressListener
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.settings.messages import without_texts
from unteach.settings.request import Request
from unteach.teachers import Teacher
from unteach.training.config import UnlearningConfig
from unteach.training.determinism import deterministic, repeats_here
from unteach.training.prepare import alternates_of
from unteach.training.resume.checkpoints import CheckpointPace, WholeCheckpoint, newest
from unteach.training.safeguards.draw_back import DrawBack
from unteach.training.safeguards.sigterm import SigtermNotice
from unteach.training.safeguards.watch import WeightWatch
from unteach.training.selection import unchosen
from unteach.training.trackers import keep_tensorboard
from unteach.training.trainer import UnlearningTrainer
from unteach.types import Example, Sequence


@dataclass(frozen=True, kw_only=True)
class Unlearned:
    """Result of training.

    Attributes:
        model: with its adapters, if it has any. If weights were sharded, a gathered copy on the CPU
            on the main process, and None on the others.
        start: the factors that FILA subtracted from the base weights; None without FILA.
        facts: values for the report.
    """

    model: Any
    start: Any = None
    facts: dict[str, Any]


def unlearn_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    method: Method,
    forget: list[Sequence],
    retain: list[Sequence],
    request: Request,
    listener: ProgressListener,
    examples: list[Example] | None = None,
    checkpoints: Path | None = None,
    before: str = "",
    holdout: list[Sequence] | None = None,
    teacher_rows: TeacherRows | None = None,
    forms: Mapping[str, list[Sequence]] | None = None,
    replay: list[Sequence] | None = None,
    callbacks: Iterable[TrainerCallback] = (),
) -> Unlearned:
    """Train the model to forget; in place, unless its weights will be sharded.

    Every process must call this function.

    Args:
        model: on its device, or on the CPU if it will be sharded (`sharding_asked`). Methods that
            retrain need the model before fine-tuning.
        tokenizer: its tokenizer.
        method: the unlearning method.
        forget: the forget sequences.
        retain: the retain sequences; may be empty.
        request: with every default filled in.
        listener: receives progress, stages and notes.
        examples: the forget examples as the user wrote them, for methods with alternate answers.
        checkpoints: a folder to save checkpoints in and to resume from; None for no checkpoints.
        before: hash of request, model, data and code; a checkpoint with another hash is refused.
        holdout: texts that the model never saw, for the target level of methods with a teacher and
            for `train.draw_back`.
        teacher_rows: precomputed rows of another model as the teacher.
        forms: by role, the examples with their questions in further wordings, trained on too.
            Levels and drawing back use the questions as they are.
        replay: what earlier requests removed, held where the model has it now.
        callbacks: further callbacks of the trainer, which may look at the model between steps.

    Raises:
        UserError: a value was not finite, or an adapter does not fit the model.
        SystemExit: SIGTERM arrived; a checkpoint of the step is written.
    """
    require_numbers(model, "--model" if method.trains_on == "forget" else "--base")
    began = time.monotonic()
    shards = sharding_asked(os.environ)
    device: Any = PartialState().device if shards else model.device
    peak = _peak_from_here(device)
    policy: Any = model
    start = alternates = None
    more = forms or {}
    shown = [*forget, *more.get("forget", [])]
    if "alternate" in method.needs():
        listener.stage("finding other answers")
        alternates = alternates_of(
            method, model, examples or [], shown, tokenizer,
            request.data.max_length or 2048, arguments(request, "unused"),
            lambda done, total: listener.progress("making answers up", done, total),
            lambda problem: listener.notes([problem]),
        )  # fmt: skip
    if request.adapter.kind == "lora":
        with deterministic(request.train.deterministic):
            policy, start = _adapted(model, method, forget, retain, request, listener)
    again = method.trains_on == "retain"
    listener.stage(
        "retraining without the forget data" if again else f"unlearning with {method.name}"
    )
    notice = SigtermNotice()
    with ExitStack() as held:
        folder = checkpoints or Path(held.enter_context(tempfile.TemporaryDirectory()))
        trainer = UnlearningTrainer(
            policy,
            method=method,
            forget_dataset=shown,
            retain_dataset=[*retain, *more.get("retain", [])],
            alternate_dataset=alternates,
            holdout_dataset=[*(holdout or []), *more.get("holdout", [])],
            replay_dataset=replay,
            teacher_rows=teacher_rows,
            args=arguments(request, str(folder)),
            processing_class=tokenizer,
            callbacks=[
                *callbacks,
                _Tell(listener),
                *([_pace(request, before, notice)] if checkpoints else []),
            ],
            progress=lambda done, total: listener.progress("choosing tokens", done, total),
        )
        trainer.remove_callback(PrinterCallback)
        if logs := keep_tensorboard(trainer.callback_handler.callbacks, request.out):
            listener.stage(f"to watch it: tensorboard --logdir {logs}")
        listener.notes(unchosen(trainer.pairs.choices))
        draws = request.train.draw_back != "never" and holdout
        kept = DrawBack(policy) if draws else None
        if watch := _watch(trainer, forget, holdout or [], retain, request):
            trainer.add_callback(watch)
        before_cut = None
        checkpoint = from_main(lambda: newest(folder, lambda problem: listener.notes([problem])))
        if checkpoint:
            before_cut = int(checkpoint.name.split("-")[-1])
            listener.stage(f"going on after step {before_cut}")
        with deterministic(request.train.deterministic), notice:
            trainer.train(resume_from_checkpoint=checkpoint and WholeCheckpoint(checkpoint))
            drawn = _drawn_back(kept, policy, forget, holdout or [], request, listener)
        whole = trainer.whole_model()
    monitor = trainer.monitor
    facts = {
        "steps": trainer.state.global_step,
        "steps_planned": trainer.state.max_steps,
        "went_on_after_step": before_cut,
        "stopped_because": monitor.reason,
        f"{monitor.of}_probability_in_training": round(monitor.probability, 3),
        f"{monitor.of}_probability_by_pass": monitor.curve or None,
        "training_seconds": round(time.monotonic() - began, 1),
        "devices": spread(trainer.accelerator),
        "head": trainer.head,
        "reference_bytes": trainer.reference_bytes,
        "peak_memory_bytes": peak(),
        "a_second_time": repeats_here(model.device, ordered=request.train.deterministic),
    }
    facts |= drawn
    if trainer.teacher is not None:
        facts |= taught_by(trainer.teacher)
    if start is not None:
        facts |= start.facts
    if trainer.pairs.choices is not None:
        facts["chosen_tokens"] = sum(len(choice.chosen) for choice in trainer.pairs.choices)
    return Unlearned(model=None if whole is None else whole.eval(), start=start, facts=facts)


def _watch(
    trainer: UnlearningTrainer,
    forget: list[Sequence],
    holdout: list[Sequence],
    retain: list[Sequence],
    request: Request,
) -> WeightWatch | None:
    """Return the callback that scores the model during training, if the request needs it."""
    train = request.train
    stop = train.stop_at == "holdout"
    if not (stop or train.min_kept):
        return None
    return WeightWatch(
        trainer.model, trainer.monitor, forget, holdout, retain, stop=stop,
        min_kept=train.min_kept, tokens_per_batch=request.evaluate.tokens_per_batch,
    )  # fmt: skip


def _drawn_back(
    kept: DrawBack | None,
    model: Any,
    forget: list[Sequence],
    holdout: list[Sequence],
    request: Request,
    listener: ProgressListener,
) -> dict[str, Any]:
    """Draw the model back if it forgot too much; return facts for the report."""
    if kept is None:
        return {}
    listener.stage("looking whether the model went too far")
    began, tokens = time.monotonic(), request.evaluate.tokens_per_batch
    drawn = kept.to_never_seen(model, forget, holdout, tokens_per_batch=tokens)
    if drawn.share < 1:
        what = (
            f"the forget answers were less likely than those never seen (AUC {drawn.before:.2f}); "
            f"drawn back to {drawn.share:.0%} of the way, they are not (AUC {drawn.after:.2f})"
        )
        hint = "train.draw_back=never leaves the model where training ended"
        listener.notes([Problem("train.draw_back", what, hint, "note")])
    return {
        "drawn_back_to": round(drawn.share, 3),
        "auc_where_training_ended": round(drawn.before, 2),
        "auc_drawn_back": round(drawn.after, 2),
        "drawing_back_seconds": round(time.monotonic() - began, 1),
    }


def taught_by(teacher: Teacher) -> dict[str, Any]:
    """Return facts on a teacher for the report."""
    return {
        "teacher": teacher.source,
        "teacher_probability": round(teacher.probability, 4),
        "teacher_level_from_holdout": all(teacher.set_level),
        **teacher.facts,
    }


def _peak_from_here(device: torch.device) -> Callable[[], int | None]:
    """Return a function that gives CUDA's peak memory in bytes since now; None elsewhere."""
    if device.type != "cuda":
        return lambda: None
    torch.cuda.reset_peak_memory_stats(device)
    return lambda: torch.cuda.max_memory_allocated(device)


def _adapted(
    model: PreTrainedModel,
    method: Method,
    forget: list[Sequence],
    retain: list[Sequence],
    request: Request,
    listener: ProgressListener,
) -> tuple[Any, Any]:
    """Add adapters; return the model and the factors that FILA subtracted, or None."""
    from unteach.adapters import (
        LoraSettings,
        add_lora,
        fila_bytes,
        initialise_fila,
        why_not_experts,
    )

    settings = request.adapter
    without = why_not_experts(settings, sharded=sharding_asked(os.environ) is not None)
    torch.manual_seed(request.train.seed)
    policy = add_lora(
        model,
        LoraSettings(
            rank=settings.rank,
            alpha=settings.alpha,
            dropout=settings.dropout,
            targets=settings.targets,
            experts=not without,
        ),
    )
    start = None
    if settings.init == "fila":
        size = f"{fila_bytes(policy) / 1e6:,.0f} MB of squared gradients"
        listener.stage(f"weighing what the forget set uses against the retain set (FILA, {size})")
        start = initialise_fila(
            policy,
            forget,
            retain,
            max_samples=settings.fisher_samples,
            epsilon=settings.epsilon,
            batch=settings.fisher_batch if settings.fisher == "batch_mean" else 1,
            device=settings.fisher_device,
            seed=request.train.seed,
            progress=lambda done, total: listener.progress("gradients", done, total),
            note=lambda problem: listener.notes([problem]),
        )
    return policy, start


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


def _pace(request: Request, before: str, notice: SigtermNotice) -> CheckpointPace:
    steps, minutes = request.train.checkpoint_steps, request.train.checkpoint_minutes
    return CheckpointPace(steps, minutes, before, lambda said: together(lambda: said), notice)


class _Tell(TrainerCallback):
    def __init__(self, listener: ProgressListener):
        self.listener = listener

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and {"forget_probability", "retain_probability"} & {*logs}:
            self.listener.training(state.global_step, state.max_steps, logs)
