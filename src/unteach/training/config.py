"""TrainingArguments with the defaults that unlearning needs."""

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import SchedulerType, TrainingArguments, get_scheduler

from unteach.errors import UserError
from unteach.methods import Method, unbound
from unteach.registry import strict
from unteach.training.config_values import require_values
from unteach.training.learning_rate import suiting_rate

# The one replaces torch's own cross entropy for everybody, the other the model's forward by one
# that knows no loss but its own.
LIGER_LOSSES = ("cross_entropy", "fused_linear_cross_entropy")
EVALUATED = ("reduce_lr_on_plateau", "greedy")  # these follow scores that are taken in training
SCHEDULES = [kind.value for kind in SchedulerType if kind.value not in EVALUATED]


def why_no_schedule(name: str, settings: dict[str, Any] | None) -> str:
    """What transformers says when it cannot make that schedule of these settings; else nothing.

    Example:
        >>> why_no_schedule("warmup_stable_decay", None)
        "get_wsd_schedule() missing 1 required positional argument: 'num_decay_steps'"
        >>> why_no_schedule("warmup_stable_decay", {"num_decay_steps": 3})
        ''
    """
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    try:
        get_scheduler(name, optimizer, 1, 10, settings)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


@strict
@dataclass
class UnlearningConfig(TrainingArguments):
    """What `transformers.TrainingArguments` takes, and some things more.

    Of Liger's kernels (`use_liger_kernel`) those for losses stay off.

    Args:
        learning_rate: None sets it from the model's width and the method
            (`training.learning_rate`).
        num_train_epochs: passes over the forget set; None takes the method's.
        retain: the term that keeps the rest: "nll", "kl", "jsd", "hidden" or "none"; None takes the
            method's.
        retain_weight: its weight; None takes the method's.
        stop_at: stop once the forget answers' mean probability is this low; None takes the
            method's, 0 never stops early.
        max_length: tokens of one example; None takes the model's context.
        sam: radius of sharpness-aware forgetting (arXiv 2502.05374); 0 for none.
        packing: waste little on padding: none where the model's attention takes unequal texts
            (flash attention), else texts of like length share a batch.
        refusals: a file with a refusal on each line, for methods that train on refusals; None takes
            ours.
        refusal: what JensUn draws the model towards.
        chunk_rows: rows of logits that are held at once; None goes by bytes.
        adam_epsilon: Adam's epsilon; "auto" is `max_grad_norm / sqrt(trained weights)`; None takes
            the method's.
        rounds: how often the epochs are gone over at most, for methods with a teacher; None takes
            the method's.
        template: how prompt and answer are joined: "auto", "chat", "plain" or "none".
    """

    output_dir: str | None = field(default="unlearned")  # type: ignore[assignment]
    learning_rate: float | None = None  # type: ignore[assignment]
    num_train_epochs: float | None = None  # type: ignore[assignment]
    per_device_train_batch_size: int = 8
    lr_scheduler_type: str = "linear"  # type: ignore[assignment]
    weight_decay: float = 0.0
    logging_steps: float = 1
    save_strategy: str = "no"  # type: ignore[assignment]
    report_to: str | list[str] | None = "none"  # type: ignore[assignment]
    remove_unused_columns: bool | None = False  # type: ignore[assignment]
    # transformers replaces NaN losses in its log by an average: a collapse would go unseen
    logging_nan_inf_filter: bool = False
    retain: str | None = None
    retain_weight: float | None = None
    stop_at: float | None = None
    max_length: int | None = None
    sam: float = 0.0
    packing: bool = False
    refusals: str | None = None
    refusal: str = "No idea"
    chunk_rows: int | None = None
    template: str = "auto"
    adam_epsilon: float | str | None = None  # type: ignore
    rounds: int | None = None

    def __post_init__(self):
        require_values(self)
        self.wanted_epsilon, self.adam_epsilon = self.adam_epsilon, 1e-8  # type: ignore
        if isinstance(self.wanted_epsilon, str) and self.wanted_epsilon != "auto":
            self.wanted_epsilon = float(self.wanted_epsilon)
        # The parent checks these two; what was left open is filled by `settle`.
        self.open = {
            name for name in ("learning_rate", "num_train_epochs") if getattr(self, name) is None
        }
        self.learning_rate = 1e-5 if self.learning_rate is None else self.learning_rate
        self.num_train_epochs = 10 if self.num_train_epochs is None else self.num_train_epochs
        if not torch.accelerator.is_available():
            self.dataloader_pin_memory = False  # else every run warns that there is nothing to pin
        if self.use_liger_kernel:
            off = dict.fromkeys(LIGER_LOSSES, False)
            self.liger_kernel_config = {**(self.liger_kernel_config or {}), **off}
        super().__post_init__()

    @property
    def device(self) -> torch.device:
        """Of this process. A CPU has no number: to "cpu:0" torch loads nothing.

        transformers before 5.18 could not go on from the checkpoints of several processes there.
        """
        found = super().device
        return torch.device("cpu") if found.type == "cpu" else found

    def settle(self, method: Method, model_config: Any, *, adapter: bool, retain: bool) -> None:
        """Fill what was left open, from the method's plan and the model's size.

        Args:
            method: whose plan it is.
            model_config: the model's configuration.
            adapter: whether adapters are trained rather than all weights.
            retain: whether there is retain data; without it there is no retain term.
        """
        plan = method.plan
        if self.wanted_epsilon is None:
            self.wanted_epsilon = plan.adam_epsilon
        self.rounds = (plan.rounds if self.rounds is None else self.rounds) or 1
        if "learning_rate" in self.open:
            rate = suiting_rate(plan, model_config, adapter=adapter)
            self.learning_rate = rate  # type: ignore[assignment]
        if "num_train_epochs" in self.open:
            self.num_train_epochs = plan.epochs  # type: ignore[assignment]
        self.retain = plan.retain if self.retain is None else self.retain
        self.retain_weight = (
            plan.retain_weight if self.retain_weight is None else self.retain_weight
        )
        if method.moves_weight() and (not retain or self.retain == "none"):
            raise UserError(unbound(method.name))
        # A weight that moves may begin at 0.
        if not retain or not (self.retain_weight or method.moves_weight()):
            self.retain = "none"
        self.stop_at = (plan.stop_at if self.stop_at is None else self.stop_at) or None
        self.open = set()
