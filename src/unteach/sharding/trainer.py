"""transformers' trainer, whose model can be had in one piece however many devices hold it."""

import os
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, Trainer
from transformers.trainer import TRAINING_ARGS_NAME

from unteach.processes.launcher import require_asked, sharding_asked
from unteach.sharding.gather import Shell


def share_out_each(args: Any) -> None:
    """Under FSDP let each forward's gradients be shared out at once.

    Else each process keeps those of all weights, whole, until the last forward of a step.

    Args:
        args: `TrainingArguments`; changed.
    """
    if args.fsdp or sharding_asked(os.environ) == "FSDP":
        asked = args.accelerator_config.gradient_accumulation_kwargs or {}
        given = {"sync_each_batch": True, **asked}
        args.accelerator_config.gradient_accumulation_kwargs = given


class GatheredTrainer(Trainer):
    """Abstract; what weights in shards (FSDP2, DeepSpeed) need beside training.

    Attributes:
        shell: the model without its weights, where these will be in shards; else None.

    Raises:
        UserError: shards were asked for, and accelerate makes none.
    """

    def __init__(self, model: PreTrainedModel, *, args: Any, **options: Any):
        share_out_each(args)
        super().__init__(model=model, args=args, **options)
        require_asked(self.accelerator, self.args)
        sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        self.shell = Shell(model) if sharded else None

    def whole_model(self) -> Any:
        """The model as trained, in one piece; every process must come here.

        Returns:
            Where weights are in shards: a plain copy on the CPU for the main process, None for the
            others. Else the model itself, on every process.
        """
        if self.shell is None:
            return self.accelerator.unwrap_model(self.model)
        state: Any = self.accelerator.get_state_dict(self.model_wrapped)
        return self.shell.filled(state) if self.accelerator.is_main_process else None

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write it whole; of weights in shards transformers may write nothing, without a word.

        Without `training_args.bin`.
        """
        if self.shell is None or _internal_call:
            super().save_model(output_dir, _internal_call)
            if self.args.should_save:  # it is a pickle, which nothing here reads
                folder = Path(output_dir or str(self.args.output_dir))
                (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)
            return
        if (model := self.whole_model()) is not None:
            folder = output_dir or str(self.args.output_dir)
            model.save_pretrained(folder)
            self.processing_class.save_pretrained(folder)  # type: ignore[union-attr]
        self.accelerator.wait_for_everyone()
