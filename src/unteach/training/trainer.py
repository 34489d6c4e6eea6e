"""Extend transformers' trainer with the unlearning loss."""

import math
from collections import defaultdict
from functools import partial
from typing import Any

from accelerate.utils import gather_object
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback

from unteach.data import context_length
from unteach.errors import UserError
from unteach.head import chunk_rows, head_of
from unteach.losses.answer_rows import Term
from unteach.losses.retain import retain_reads
from unteach.methods import Method
from unteach.progress import ProgressCallback
from unteach.registry import strict
from unteach.rowengine.batch import ALTERNATE, FORGET, REPLAY, RETAIN, Batch, Pairs, only
from unteach.rowengine.chunked_loss import CutRules, chunked_loss
from unteach.rowengine.forward import ending_in, inputs_of
from unteach.rowengine.lengths import may_part
from unteach.rowengine.packing import packs, unpack
from unteach.rowengine.reference import Reference, agreed_head, mean_nll
from unteach.rowengine.rows import BatchOutput, count
from unteach.rowengine.step import MicroBatch, Objective
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.sharding.gather import announce_head, rest
from unteach.training.config import UnlearningConfig
from unteach.training.config_values import require_trainable
from unteach.training.dual_ascent import DualAscent
from unteach.training.finish import Finish
from unteach.training.gradients import NEEDS_WHOLE, TwoGradients, gradients_apart
from unteach.training.learning_rate import suiting_rate
from unteach.training.pair_trainer import PairTrainer
from unteach.training.prepare import (
    aligned,
    alternates_of,
    examples_of,
    freeze,
    place,
    refusal_ids,
    sequences_of,
    trained_on,
)
from unteach.training.rounds import KeepOrder, in_rounds, repeated
from unteach.training.safeguards.divergence import DivergenceGuard, StepProblem
from unteach.training.safeguards.early_stopping import EarlyStopping
from unteach.training.selection import choose
from unteach.training.teacher import epsilon, for_selected, taught


@partial(strict, also=Trainer)
class UnlearningTrainer(PairTrainer):
    """Trainer for unlearning, used like the trainers of `trl`.

    Args:
        model: the model to change, with peft adapters or without.
        method: the unlearning method, for example `Unilogit()`.
        forget_dataset: what to forget: rows as in files (`question`/`answer`,
            `prompt`/`completion`, `messages` or `text`), a `datasets.Dataset` of them, or a list
            of `Sequence`. Methods that retrain do not train on it.
        retain_dataset: what to keep, in the same formats.
        alternate_dataset: alternate answers to the forget prompts, one for each, in the same
            formats, for methods that train on them. By default they come from the `alternate`
            column of the forget rows or are refusals (`args.refusals`), depending on the method.
        holdout_dataset: texts like the forget set that the model never saw, in the same formats;
            they set the target probability of methods with a teacher.
        replay_dataset: what was forgotten earlier and must stay so, in the same formats: KL holds
            the answers where the model has them now.
        teacher_rows: precomputed rows of another model as the teacher (`--base`).
        args: training arguments.
        processing_class: the model's tokenizer.
        progress: called as tokens are selected, for methods that do so (DTO).

    Raises:
        UserError: invalid rows, or a method that does not fit the model.

    Example:
        trainer = UnlearningTrainer(model, method=Unilogit(), forget_dataset=rows,
                                    args=UnlearningConfig(), processing_class=tokenizer)
        trainer.train()
    """

    # The loss is divided by the counts of the whole step, so the trainer must not divide again.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        method: Method,
        forget_dataset: Any,
        retain_dataset: Any = None,
        alternate_dataset: Any = None,
        holdout_dataset: Any = None,
        replay_dataset: Any = None,
        teacher_rows: TeacherRows | None = None,
        args: UnlearningConfig | None = None,
        processing_class: PreTrainedTokenizerBase,
        callbacks: list[TrainerCallback] | None = None,
        progress: ProgressCallback = lambda done, total: None,
        **trainer_options: Any,
    ):
        args = args or UnlearningConfig()
        require_trainable(method, trainer_options.get("eval_dataset"))
        if args.n_gpu > 1:
            args._n_gpu = 1  # DataParallel would split batches after they are counted
        tokenizer = processing_class
        length = args.max_length or context_length(model.config, tokenizer)
        encode = partial(sequences_of, tokenizer=tokenizer, length=length, template=args.template)
        forget, retain, replay = trained_on(
            method,
            encode(forget_dataset, "forget"),
            encode(retain_dataset, "retain"),
            encode(replay_dataset, "replay"),
        )
        self._given_rows = self._teacher_rows = teacher_rows
        self.teacher = teacher_rows.teacher if teacher_rows else None
        if method.reads_teacher() and not teacher_rows:
            holdout = encode(holdout_dataset, "holdout")
            place(model, args.device)
            self.teacher, retain = taught(method, model, tokenizer, forget, retain, holdout, args)
        adapter = hasattr(model, "peft_config")
        args.settle(method, model.config, adapter=adapter, retain=bool(retain))
        args = repeated(args)
        self.method, self.retain_name = method, args.retain or "none"
        self.reads = method.needs() | retain_reads(self.retain_name)
        if self.reads & {"alternate", "selected"}:
            place(model, args.device)
        alternates, choices = None, None
        if "alternate" in self.reads and alternate_dataset is not None:
            alternates = aligned(encode(alternate_dataset, "forget", last=True), forget)
        elif "alternate" in self.reads:
            examples = examples_of(forget_dataset)
            alternates = alternates_of(method, model, examples, forget, tokenizer, length, args)
        refusal = refusal_ids(args.refusal, tokenizer) if "refusal" in self.reads else ()
        if "selected" in self.reads:
            choices = choose(method, model, tokenizer, forget, seed=args.seed, progress=progress)
            self.teacher = for_selected(self.teacher, method, choices, model, forget)
        self.level = self.teacher and self.teacher.probability
        kept = retain if self.retain_name != "none" else []
        self.pairs = Pairs(forget, kept, choices, alternates, refusal, replay)
        self._before_training(model, args, adapter=adapter)
        super().__init__(
            model=model,
            args=args,
            train_dataset=self.pairs,
            data_collator=self.pairs.collate,  # type: ignore[arg-type]
            processing_class=tokenizer,
            callbacks=[KeepOrder(self), *(callbacks or []), self.guard],
            **trainer_options,
        )
        # transformers before 5.19 reads this in place of `loss_is_scaled_for_ga`.
        self.model_accepts_loss_kwargs = True
        self._two = gradients_apart(method, model, self.pairs, sam=bool(args.sam))
        if (self._two or self._finish.acts) and self.shell:
            raise UserError(NEEDS_WHOLE)

    def _before_training(self, model: Any, args: UnlearningConfig, *, adapter: bool) -> None:
        """Freeze what the method leaves alone, and make what watches and steers the training."""
        method, layers = self.method, model.config.get_text_config().num_hidden_layers
        self.layer = method.layer(layers) if self.reads & {"hidden", "reference_hidden"} else None
        self._stopped = freeze(model, lambda name: method.trainable(name, layers))
        args.adam_epsilon = epsilon(args, model)
        self._finish = Finish(method, model)
        self.monitor = EarlyStopping(len(self.pairs.forget), args.stop_at, of=method.trains_on)
        suits = suiting_rate(method.training_defaults(), model.config, adapter=adapter)
        self.guard = DivergenceGuard(
            self.pairs, model, retain=self.retain_name, rate=(args.learning_rate, suits),
            of=method.trains_on,
        )  # fmt: skip
        self.dual = DualAscent(method, args.retain_weight or 0.0)
        self._ways = CutRules()
        self._reference: Reference | None = None
        self.head, self._replay_weight = "", args.replay_weight
        self._logged: dict[str, list[float]] = defaultdict(list)
        self._logged_steps = 0
        self._part, self._packs, self._by_length = "all", False, False
        self._step_batches: list[Batch] = []

    def train(self, resume_from_checkpoint: Any = None, **kwargs: Any):  # type: ignore[override]
        """Precompute what the loss reads of the reference model, then train."""
        self._reference = None
        self.mark(resume_from_checkpoint)
        if self.shell is None:
            place(self.model, self.args.device)
            with self.accelerator.autocast():
                self._packs = bool(self.args.packing and packs(self.model))  # type: ignore[attr-defined]
            self._by_length = self.layer is None and not self._packs and may_part(self.model)
            self._prepare_reference()
        folder = self.took_up(resume_from_checkpoint)
        try:
            over = folder and self.over(folder)
            done = over or super().train(resume_from_checkpoint=folder and str(folder), **kwargs)
        finally:
            for parameter in self._stopped:
                parameter.requires_grad_(True)
        self._finish.apply()
        return done

    def create_scheduler(self, *args: Any, **kwargs: Any):
        """Also precompute a sharded model's reference: it is sharded, and not yet resumed."""
        if self._reference is None:
            announce_head(self.model)
            self._prepare_reference()
        return self._in_rounds(*args, **kwargs)

    def _in_rounds(self, num_training_steps: int, optimizer: Any = None) -> Any:
        rounds: int = self.args.rounds or 1  # type: ignore[attr-defined]
        if rounds > 1:
            num_training_steps = math.ceil(num_training_steps / rounds)
        made = super().create_scheduler(num_training_steps, optimizer)
        return in_rounds(made, num_training_steps) if rounds > 1 else made

    def _prepare_reference(self) -> None:
        """Check the model's head, and precompute what the loss reads of the reference model."""
        policy, pairs = self.model, self.pairs
        with self.accelerator.autocast():
            self.head = agreed_head(policy, pairs)
            self._reference = Reference(
                policy, self.method.needs(), retain_reads(self.retain_name), pairs,
                drawn=self._drawn(), replayed=self._drawn("replay"), layer=self.layer,
            )  # fmt: skip
            if self.teacher and not self._given_rows:
                taught = policy if "teacher_logits" in self.reads else None
                self._teacher_rows = TeacherRows(self.teacher, taught, self._reference.head)
            if self.dual.moves and self.retain_name == "nll":
                self.dual.before = mean_nll(policy, pairs.retain)
        rest(policy)

    @property
    def reference_bytes(self) -> int:
        """Bytes of stored hidden states of the reference model and the teacher."""
        return sum(rows.bytes for rows in (self._reference, self._teacher_rows) if rows)

    def compute_loss(self, model, inputs: Batch, return_outputs=False, num_items_in_batch=None):
        """Compute the loss of all groups, averaged over the whole step."""
        assert self._reference is not None, "train() prepares the reference"
        counts: Any = count([inputs]) if num_items_in_batch is None else num_items_in_batch
        if self._part != "all":
            inputs = only(inputs, self._groups())
        watched, share = self._part in ("all", "forget"), float(not inputs["spare"].any())
        objective = Objective(
            method=self.method, retain=self.retain_name, weight=self.dual.weight,
            replay=self._replay_weight, wanted=self._wanted, watched=watched,
        )  # fmt: skip
        step = MicroBatch(objective, inputs, counts, self._reference, self._teacher_rows)
        base = self.accelerator.unwrap_model(model)
        with ending_in(base, partial(self._settle, base, step), by_length=self._by_length):
            hidden = {} if self.layer is None else {"output_hidden_states": True}
            loss = share * model(**inputs_of(inputs, packed=self._packs), **hidden).loss
        kept = 0.0 if step.retain is None else share * step.retain.item()
        self.dual.see(kept)
        values = {name: share * term.item() for name, term in step.terms.items()}
        probabilities = step.probabilities()
        fault = self.guard.look(inputs, loss.item(), values, kept=kept, probabilities=probabilities)
        if probabilities is not None:
            self._watch(inputs, probabilities, fault)
        if self._part != "again":
            for name, value in values.items():
                self._logged[name].append(value)
        # Each process has its part of the step's sum, and gradients are averaged over processes.
        loss = loss * self.accelerator.num_processes
        return (loss, {"loss": loss}) if return_outputs else loss

    def _settle(self, base: Any, step: MicroBatch, final: Tensor, output: Any) -> Tensor:
        hidden = None if self.layer is None else output.hidden_states[self.layer + 1]
        if self._packs:
            mask = step.batch["attention_mask"]
            final, hidden = unpack(final, mask), None if hidden is None else unpack(hidden, mask)
        with self.accelerator.autocast():  # accelerate's ends with the model's own forward
            head = head_of(base)
        device = head.weight.device  # a model spread over devices has its head on one of them
        step.batch = {name: value.to(device) for name, value in step.batch.items()}
        states = BatchOutput(final.to(device), None if hidden is None else hidden.to(device))
        limit = self.args.chunk_rows or chunk_rows(head, device)  # type: ignore[attr-defined]
        groups = step.groups(states)
        heads = head, step.reference.head, step.teacher and step.teacher.head
        return chunked_loss(groups, *heads, limit=limit, ways=self._ways)

    def training_step(self, model, inputs, num_items_in_batch=None):
        """Forward and backward of one micro-batch; the last one also updates the retain weight."""
        if self._two is None:
            loss = super().training_step(model, inputs, num_items_in_batch)
        else:
            loss = self._two_gradients(self._two, model, inputs, num_items_in_batch)
        if self.accelerator.sync_gradients:
            self._logged_steps += 1
            self.dual.step(self._sum_over_processes)
        return loss

    def _two_gradients(self, two: TwoGradients, model, inputs, items) -> Tensor:
        """Run a training step with separate forget and retain gradients."""
        loss = self._pass("forget", model, inputs, items)
        two.swap()
        if self.method.holds() or self.pairs.retain or self.pairs.replay:
            loss = loss + self._pass("hold", model, inputs, items)
        if not self.accelerator.sync_gradients:
            two.swap()
            return loss
        if self.args.sam:  # type: ignore[attr-defined]
            two.swap()
            kept = two.climb(self.args.sam)  # type: ignore[attr-defined]
            try:
                for batch in self._step_batches:
                    self._pass("again", model, batch, items)
            finally:
                two.back(kept)
            two.swap()
        two.combine()
        return loss

    def _pass(self, part: str, model, inputs, items) -> Tensor:
        self._part = part
        try:
            return super().training_step(model, inputs, items)
        finally:
            self._part = "all"

    def _groups(self) -> set[int]:
        """Return the groups of a batch that the terms of this pass need."""
        forget = {FORGET, ALTERNATE}
        if self._part != "hold":
            return forget
        return {RETAIN, REPLAY} | (forget if self.method.holds() else set())

    def _wanted(self, term: Term) -> bool:
        return self._part == "all" or (term.name == "forget") != (self._part == "hold")

    def _watch(self, batch: Batch, probabilities: Tensor, fault: StepProblem | None) -> None:
        """Give the monitor the same values on every process, so that all stop at the same step."""
        index = batch["index"][batch["group"] == FORGET]
        own = dict(zip(index.tolist(), probabilities.tolist(), strict=True))
        shares = [({} if batch["spare"].any() else own, fault)]
        if self.accelerator.num_processes > 1:
            shares = gather_object(shares)
        seen = {number: p for share, _ in shares for number, p in share.items()}
        self.guard.agreed((fault for _, fault in shares), seen.values())
        self.monitor.see(seen)

    def _get_grad_norm(self, model, grad_norm=None):
        """Return the gradient's norm before clipping, after the guard has checked it."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        self.guard.step(norm, self.accelerator.scaler)
        return norm

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add each term of the loss and the forget answers' probability to the logs."""
        for name, values in self._logged.items():
            # Each process has its part of a term.
            total = sum(gather_object(values) if self.accelerator.num_processes > 1 else values)
            logs[name] = total / max(self._logged_steps, 1)
        if self._logged:
            logs[f"{self.monitor.of}_probability"] = self.monitor.probability
        if self._logged and self.dual.moves:
            logs["retain_weight"] = self.dual.weight
        self._logged.clear()
        self._logged_steps = 0
        super().log(logs, start_time)
