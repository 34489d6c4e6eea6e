"""Train a loaded model to forget, as a request says."""

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from unteach.errors import Problem
from unteach.methods import Method
from unteach.models.finite import require_numbers
from unteach.processes.launcher import sharding_asked, spread
from unteach.processes.share import from_main, together
from unteach.progress import ProgressListener
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.settings.request import Request
from unteach.teachers import Teacher
from unteach.training.arguments import arguments
from unteach.training.determinism import deterministic, repeats_here
from unteach.training.prepare import alternates_of
from unteach.training.resume.checkpoints import CheckpointPace, WholeCheckpoint, newest
from unteach.training.safeguards.draw_back import DrawBack
from unteach.training.safeguards.sigterm import SigtermNotice
from unteach.training.safeguards.watch import WeightWatch
from unteach.training.selection import unchosen
from unteach.training.trackers import keep_tensorboard
from unteach.training.trainer import UnlearningTrainer
from unteach.training.training_data import TrainingData
from unteach.types import Sequence


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
    data: TrainingData,
    request: Request,
    listener: ProgressListener,
    *,
    checkpoints: Path | None = None,
    before: str = "",
    teacher_rows: TeacherRows | None = None,
    callbacks: Iterable[TrainerCallback] = (),
) -> Unlearned:
    """Train the model to forget; in place, unless its weights will be sharded.

    Every process must call this function.

    Args:
        model: on its device, or on the CPU if it will be sharded (`sharding_asked`). Methods that
            retrain need the model before fine-tuning.
        tokenizer: its tokenizer.
        method: the unlearning method.
        data: the sequences of all roles.
        request: with every default filled in.
        listener: receives progress, stages and notes.
        checkpoints: a folder to save checkpoints in and to resume from; None for no checkpoints.
        before: hash of request, model, data and code; a checkpoint with another hash is refused.
        teacher_rows: precomputed rows of another model as the teacher.
        callbacks: further callbacks of the trainer, which may look at the model between steps.

    Raises:
        UserError: a value was not finite, or an adapter does not fit the model.
        SystemExit: SIGTERM arrived; a checkpoint of the step is written.
    """
    require_numbers(model, "--model" if method.trains_on == "forget" else "--base")
    training = _Training(model, tokenizer, method, data, request, listener)
    return training.run(checkpoints, before, teacher_rows, callbacks)


@dataclass(frozen=True)
class _Training:
    """One training, from the loaded model to the unlearned one; `unlearn_model` has the names."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    method: Method
    data: TrainingData
    request: Request
    listener: ProgressListener

    def run(
        self,
        checkpoints: Path | None,
        before: str,
        teacher_rows: TeacherRows | None,
        callbacks: Iterable[TrainerCallback],
    ) -> Unlearned:
        began, train, notice = time.monotonic(), self.request.train, SigtermNotice()
        shards = sharding_asked(os.environ)
        device: Any = PartialState().device if shards else self.model.device
        peak = _peak_from_here(device)
        alternates = self.alternates()
        policy, start = self.adapted()
        again = self.method.trains_on == "retain"
        self.listener.stage(
            "retraining without the forget data" if again else f"unlearning with {self.method.name}"
        )
        with ExitStack() as held:
            folder = checkpoints or Path(held.enter_context(tempfile.TemporaryDirectory()))
            pace = [_pace(self.request, before, notice)] if checkpoints else []
            trainer = self.trainer(
                policy, alternates, teacher_rows, folder,
                [*callbacks, _Tell(self.listener), *pace],
            )  # fmt: skip
            draws = train.draw_back != "never" and self.data.holdout
            kept = DrawBack(policy) if draws else None
            if watch := self.watch(trainer):
                trainer.add_callback(watch)
            checkpoint = from_main(lambda: newest(folder, self.note))
            step = int(checkpoint.name.split("-")[-1]) if checkpoint else None
            if checkpoint:
                self.listener.stage(f"going on after step {step}")
            with deterministic(train.deterministic), notice:
                trainer.train(resume_from_checkpoint=checkpoint and WholeCheckpoint(checkpoint))
                drawn = self.drawn_back(kept, policy) if kept else {}
            whole = trainer.whole_model()
        facts = _facts(trainer, step, round(time.monotonic() - began, 1), peak())
        facts["a_second_time"] = repeats_here(self.model.device, ordered=train.deterministic)
        facts |= drawn | (taught_by(trainer.teacher) if trainer.teacher is not None else {})
        facts |= start.facts if start is not None else {}
        if (choices := trainer.pairs.choices) is not None:
            facts["chosen_tokens"] = sum(len(choice.chosen) for choice in choices)
        return Unlearned(model=None if whole is None else whole.eval(), start=start, facts=facts)

    def note(self, problem: Problem) -> None:
        self.listener.notes([problem])

    def alternates(self) -> list[Sequence] | None:
        """Return the answers that replace the old ones; None for methods without."""
        if "alternate" not in self.method.needs():
            return None
        self.listener.stage("finding other answers")
        return alternates_of(
            self.method, self.model, self.data.examples, self.data.shown("forget"), self.tokenizer,
            self.request.data.max_length or 2048, arguments(self.request, "unused"),
            lambda done, total: self.listener.progress("making answers up", done, total), self.note,
        )  # fmt: skip

    def adapted(self) -> tuple[Any, Any]:
        """Add adapters, if wanted; return the model and the factors that FILA subtracted, or None.

        Without adapters the model is returned as it is.
        """
        if self.request.adapter.kind != "lora":
            return self.model, None
        from unteach.adapters import LoraSettings, add_lora, why_not_experts

        settings = self.request.adapter
        without = why_not_experts(settings, sharded=sharding_asked(os.environ) is not None)
        with deterministic(self.request.train.deterministic):
            torch.manual_seed(self.request.train.seed)
            policy = add_lora(
                self.model,
                LoraSettings(
                    rank=settings.rank,
                    alpha=settings.alpha,
                    dropout=settings.dropout,
                    targets=settings.targets,
                    experts=not without,
                ),
            )
            return policy, self.fila(policy) if settings.init == "fila" else None

    def fila(self, policy: Any) -> Any:
        """Initialise the adapters by what the forget set uses; return the subtracted factors."""
        from unteach.adapters import fila_bytes, initialise_fila

        settings = self.request.adapter
        size = f"{fila_bytes(policy) / 1e6:,.0f} MB of squared gradients"
        self.listener.stage(
            f"weighing what the forget set uses against the retain set (FILA, {size})"
        )
        return initialise_fila(
            policy,
            self.data.forget,
            self.data.retain,
            max_samples=settings.fisher_samples,
            epsilon=settings.epsilon,
            batch=settings.fisher_batch if settings.fisher == "batch_mean" else 1,
            device=settings.fisher_device,
            seed=self.request.train.seed,
            progress=lambda done, total: self.listener.progress("gradients", done, total),
            note=self.note,
        )

    def trainer(
        self,
        policy: Any,
        alternates: list[Sequence] | None,
        teacher_rows: TeacherRows | None,
        folder: Path,
        callbacks: list[TrainerCallback],
    ) -> UnlearningTrainer:
        """Make the trainer, and tell which examples have no selected token."""
        data = self.data
        trainer = UnlearningTrainer(
            policy,
            method=self.method,
            forget_dataset=data.shown("forget"),
            retain_dataset=data.shown("retain"),
            alternate_dataset=alternates,
            holdout_dataset=data.shown("holdout"),
            replay_dataset=data.replay,
            teacher_rows=teacher_rows,
            args=arguments(self.request, str(folder)),
            processing_class=self.tokenizer,
            callbacks=callbacks,
            progress=lambda done, total: self.listener.progress("choosing tokens", done, total),
        )
        trainer.remove_callback(PrinterCallback)
        if logs := keep_tensorboard(trainer.callback_handler.callbacks, self.request.out):
            self.listener.stage(f"to watch it: tensorboard --logdir {logs}")
        self.listener.notes(unchosen(trainer.pairs.choices))
        return trainer

    def watch(self, trainer: UnlearningTrainer) -> WeightWatch | None:
        """Return the callback that scores the model during training, if the request needs it."""
        train = self.request.train
        stop = train.stop_at == "holdout"
        if not (stop or train.min_kept):
            return None
        return WeightWatch(
            trainer.model, trainer.monitor, self.data, stop=stop, min_kept=train.min_kept,
            tokens_per_batch=self.request.evaluate.tokens_per_batch,
        )  # fmt: skip

    def drawn_back(self, kept: DrawBack, model: Any) -> dict[str, Any]:
        """Draw the model back if it forgot too much; return facts for the report."""
        self.listener.stage("looking whether the model went too far")
        began, tokens = time.monotonic(), self.request.evaluate.tokens_per_batch
        drawn = kept.to_never_seen(
            model, self.data.forget, self.data.holdout, tokens_per_batch=tokens
        )
        if drawn.share < 1:
            what = (
                "the forget answers were less likely than those never seen "
                f"(AUC {drawn.before:.2f}); drawn back to {drawn.share:.0%} of the way, they are "
                f"not (AUC {drawn.after:.2f})"
            )
            hint = "train.draw_back=never leaves the model where training ended"
            self.note(Problem("train.draw_back", what, hint, "note"))
        return {
            "drawn_back_to": round(drawn.share, 3),
            "auc_where_training_ended": round(drawn.before, 2),
            "auc_drawn_back": round(drawn.after, 2),
            "drawing_back_seconds": round(time.monotonic() - began, 1),
        }


def _facts(
    trainer: UnlearningTrainer, resumed: int | None, seconds: float, peak: int | None
) -> dict[str, Any]:
    """Return facts of any training for the report."""
    monitor = trainer.monitor
    return {
        "steps": trainer.state.global_step,
        "steps_planned": trainer.state.max_steps,
        "went_on_after_step": resumed,
        "stopped_because": monitor.reason,
        f"{monitor.of}_probability_in_training": round(monitor.probability, 3),
        f"{monitor.of}_probability_by_pass": monitor.curve or None,
        "training_seconds": seconds,
        "devices": spread(trainer.accelerator),
        "head": trainer.head,
        "reference_bytes": trainer.reference_bytes,
        "peak_memory_bytes": peak,
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


def _pace(request: Request, before: str, notice: SigtermNotice) -> CheckpointPace:
    steps, minutes = request.train.checkpoint_steps, request.train.checkpoint_minutes
    return CheckpointPace(steps, minutes, before, lambda said: together(lambda: said), notice)


class _Tell(TrainerCallback):
    def __init__(self, listener: ProgressListener):
        self.listener = listener

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and {"forget_probability", "retain_probability"} & {*logs}:
            self.listener.training(state.global_step, state.max_steps, logs)
