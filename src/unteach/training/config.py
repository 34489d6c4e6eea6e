"""Extend transformers' TrainingArguments with options and defaults for unlearning."""

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import SchedulerType, TrainingArguments, get_scheduler

from unteach.errors import UserError
from unteach.methods import Method, unbound
from unteach.registry import strict
from unteach.training.config_values import require_values
from unteach.training.learning_rate import suiting_rate

# The first replaces torch's cross entropy globally, the second the model's forward by one with a
# fixed loss.
LIGER_LOSSES = ("cross_entropy", "fused_linear_cross_entropy")
EVALUATED = ("reduce_lr_on_plateau", "greedy")  # these need evaluation during training
SCHEDULES = [kind.value for kind in SchedulerType if kind.value not in EVALUATED]


def why_no_schedule(name: str, settings: dict[str, Any] | None) -> str:
    """Return transformers' error for a schedule with these settings; "" if there is none.

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
    """`transformers.TrainingArguments` with further options for unlearning.

    Liger's kernels for losses stay off even with `use_liger_kernel`.

    Args:
        learning_rate: None derives it from the model's width and the method
            (`training.learning_rate`).
        num_train_epochs: passes over the forget set; None uses the method's default.
        retain: the retain term: "nll", "kl", "jsd", "hidden" or "none"; None uses the method's
            default.
        retain_weight: weight of the retain term; None uses the method's default.
        replay_weight: weight of the term on the replay answers, if there are any.
        stop_at: stop when the forget answers' mean probability is this low; None uses the method's
            default, 0 never stops early.
        max_length: most tokens of one example; None uses the model's context length.
        sam: radius of sharpness-aware minimisation (arXiv 2502.05374); 0 turns it off.
        packing: reduce padding: pack sequences if the model's attention supports it (flash
            attention), else batch sequences of similar length.
        refusals: a file with one refusal per line, for methods that train on refusals; None uses
            the built-in ones.
        refusal: target text of JensUn.
        chunk_rows: rows of logits in memory at once; None derives it from a limit in bytes.
        adam_epsilon: Adam's epsilon; "auto" is `max_grad_norm / sqrt(trained weights)`; None uses
            the method's default.
        rounds: how often the epochs are repeated at most, for methods with a teacher; None uses the
            method's default.
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
    # transformers would replace NaN losses in its log by an average and hide a collapse
    logging_nan_inf_filter: bool = False
    retain: str | None = None
    retain_weight: float | None = None
    replay_weight: float = 1.0
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
        # The parent class checks these two, so they get values; `settle` replaces those.
        self.open = {
            name for name in ("learning_rate", "num_train_epochs") if getattr(self, name) is None
        }
        self.learning_rate = 1e-5 if self.learning_rate is None else self.learning_rate
        self.num_train_epochs = 10 if self.num_train_epochs is None else self.num_train_epochs
        if not torch.accelerator.is_available():
            self.dataloader_pin_memory = False  # avoids a warning in every run
        if self.use_liger_kernel:
            off = dict.fromkeys(LIGER_LOSSES, False)
            self.liger_kernel_config = {**(self.liger_kernel_config or {}), **off}
        super().__post_init__()

    @property
    def device(self) -> torch.device:
        """Device of this process. A CPU gets no index: torch cannot load to "cpu:0".

        transformers before 5.18 could not resume from checkpoints of several CPU processes.
        """
        device = super().device
        return torch.device("cpu") if device.type == "cpu" else device

    def settle(self, method: Method, model_config: Any, *, adapter: bool, retain: bool) -> None:
        """Fill options that are None from the method's defaults and the model's size.

        Args:
            method: the method to train with.
            model_config: the model's configuration.
            adapter: whether adapters are trained instead of all weights.
            retain: whether there is retain data; without it there is no retain term.
        """
        plan = method.training_defaults()
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
        # A weight that the method updates may start at 0.
        if not retain or not (self.retain_weight or method.moves_weight()):
            self.retain = "none"
        self.stop_at = (plan.stop_at if self.stop_at is None else self.stop_at) or None
        self.open = set()
