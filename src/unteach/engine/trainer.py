"""The trainer: transformers' own, with the loss, the order and the counts replaced."""

from collections import defaultdict
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback

from unteach.data import context_length, encode, read_rows
from unteach.engine.batch import FORGET, Batch, Pairs
from unteach.engine.config import UnlearningConfig
from unteach.engine.look import count, look, reduce, restrict
from unteach.engine.monitor import Monitor, require_finite
from unteach.engine.order import PairOrder
from unteach.engine.reference import Reference
from unteach.engine.selection import choose
from unteach.losses.seen import Term
from unteach.methods import Method
from unteach.nouns import Sequence
from unteach.probes import Progress
from unteach.retain import retain_reads, retain_term


class UnlearningTrainer(Trainer):
    """Unlearn as `trl` users train.

    Args:
        model: the model to change; with peft adapters or without.
        method: what to do, for example `Unilogit()`.
        forget_dataset: what to forget: rows as in files (`question`/`answer`,
            `prompt`/`completion`, `messages` or `text`), a `datasets.Dataset` of them, or a list
            of `Sequence`.
        retain_dataset: what to keep, in the same forms.
        args: how to train.
        processing_class: the model's tokenizer.
        original: the model before, where the model's base weights were changed by its adapters'
            initialisation (FILA).
        progress: told how far the choice of tokens is, for methods that make one (DTO).

    Raises:
        UserError: rows that cannot be used.

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
        args: UnlearningConfig | None = None,
        processing_class: PreTrainedTokenizerBase,
        original: PreTrainedModel | None = None,
        callbacks: list[TrainerCallback] | None = None,
        progress: Progress = lambda done, total: None,
        **trainer_options: Any,
    ):
        args = args or UnlearningConfig()
        if args.n_gpu > 1:
            args._n_gpu = 1  # DataParallel would cut batches behind the back of their counts
        length = args.max_length or context_length(model.config, processing_class)
        forget = _sequences(forget_dataset, "forget", processing_class, length, args.template)
        retain = _sequences(retain_dataset, "retain", processing_class, length, args.template)
        adapter = hasattr(model, "peft_config")
        args.settle(method, model.config, adapter=adapter, retain=bool(retain))
        self.method = method
        self.retain_name, self.retain_weight = args.retain or "none", args.retain_weight or 0.0
        self.reads: frozenset[str] = method.reads | retain_reads(self.retain_name)
        if "chosen" in self.reads:
            model.to(args.device)  # type: ignore[arg-type]
        choices = choose(
            method, original or model, processing_class, forget, seed=args.seed, progress=progress
        )
        self.pairs = Pairs(forget, retain if self.retain_name != "none" else [], choices)
        self.monitor = Monitor(len(forget), args.stop_at)
        self._original = original
        self._reference: Reference | None = None
        self._logged: dict[str, list[float]] = defaultdict(list)
        super().__init__(
            model=model,
            args=args,
            train_dataset=self.pairs,
            data_collator=self.pairs.collate,  # type: ignore[arg-type]
            processing_class=processing_class,
            callbacks=[*(callbacks or []), _StopWhenForgotten(self.monitor)],
            **trainer_options,
        )
        # What older releases (before 5.19) read in place of `loss_is_scaled_for_ga`.
        self.model_accepts_loss_kwargs = True

    def train(self, *args: Any, **kwargs: Any):
        """Train; the model before is kept first, in the cheapest form the loss needs."""
        policy: Any = self.model
        self._reference = Reference(policy, self.reads, self.pairs.forget, self._original)
        return super().train(*args, **kwargs)

    def compute_loss(self, model, inputs: Batch, return_outputs=False, num_items_in_batch=None):
        """One forward for forget and retain together, one mean over the whole step."""
        counts: Any = count([inputs]) if num_items_in_batch is None else num_items_in_batch
        logits = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        ).logits
        terms = self._terms(inputs, logits)
        parts = {term.name: reduce(term, group, counts) for group, term in terms}
        loss = torch.stack(list(parts.values())).sum()
        values = {name: part.item() for name, part in parts.items()}
        require_finite(loss, values, self.state.global_step)
        for name, value in values.items():
            self._logged[name].append(value)
        # Each process holds its share of the step's sum; the gradient is averaged over processes.
        loss = loss * self.accelerator.num_processes
        return (loss, logits) if return_outputs else loss

    def _terms(self, batch: Batch, logits: Tensor) -> list[tuple[str, Term]]:
        assert self._reference is not None, "train() prepares the reference"
        reference, policy = None, self.model
        if "reference_logits" in self.reads:
            reference = self._reference.logits(batch, policy)  # type: ignore[arg-type]
        seen = look(batch, logits, reference)
        terms = []
        if "forget" in seen:
            forget = seen["forget"]
            self._watch(batch["index"][batch["group"] == FORGET], forget.probabilities())
            logps = self._reference.logps(batch)
            shown = restrict(forget, self.method.reads, reference_logps=logps)
            terms += [("forget", term) for term in self.method.forget(shown)]
        if "retain" in seen:
            shown = restrict(seen["retain"], retain_reads(self.retain_name))
            terms.append(("retain", retain_term(self.retain_name, shown, self.retain_weight)))
        return terms

    def _watch(self, index: Tensor, probabilities: Tensor) -> None:
        """What the monitor sees is the same on every process, so all stop at the same step."""
        seen = list(zip(index.tolist(), probabilities.tolist(), strict=True))
        if self.accelerator.num_processes > 1:
            seen = gather_object(seen)
        self.monitor.see(dict(seen))

    def _get_train_sampler(self, train_dataset=None) -> PairOrder:
        return PairOrder(len(self.pairs.forget), len(self.pairs.retain), seed=self.args.seed)

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> Tensor:
        """Counts of the whole step: all micro-batches, all processes."""
        counts = count(batch_samples).to(device)
        if self.accelerator.num_processes > 1:
            counts = self.accelerator.gather(counts).view(-1, len(counts)).sum(0)  # type: ignore[union-attr]
        return counts

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add each term of the loss, and how likely the forget answers still are."""
        steps = self.args.gradient_accumulation_steps
        for name, values in self._logged.items():
            # Each process holds its share of a term.
            total = sum(gather_object(values) if self.accelerator.num_processes > 1 else values)
            logs[name] = total / max(len(values) / steps, 1)
        if self._logged:
            logs["forget_probability"] = self.monitor.probability
        self._logged.clear()
        super().log(logs, start_time)


class _StopWhenForgotten(TrainerCallback):
    def __init__(self, monitor: Monitor):
        self.monitor = monitor

    def on_step_end(self, args, state, control, **kwargs):
        if self.monitor.done():
            control.should_training_stop = True


def _sequences(
    dataset: Any, role: Any, tokenizer: Any, length: int, template: str
) -> list[Sequence]:
    if dataset is None:
        return []
    rows = list(dataset)
    if rows and isinstance(rows[0], Sequence):
        return rows
    sequences = [
        sequence
        for example in read_rows(rows, role)
        for sequence in encode(example, tokenizer, max_length=length, template=template)
    ]
    return [s for s in sequences if any(s.answer)]
