"""Extend transformers' trainer to gather and save a model that is sharded over devices."""

import os
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, Trainer
from transformers.trainer import TRAINING_ARGS_NAME

from unteach.processes.launcher import require_asked, sharding_asked
from unteach.sharding.gather import Shell


def share_out_each(args: Any) -> None:
    """Under FSDP, reduce and shard gradients after each micro-batch.

    Otherwise each process keeps the full gradients of all weights until a step's last micro-batch.

    Args:
        args: `TrainingArguments`; changed in place.
    """
    if args.fsdp or sharding_asked(os.environ) == "FSDP":
        options = args.accelerator_config.gradient_accumulation_kwargs or {}
        options = {"sync_each_batch": True, **options}
        args.accelerator_config.gradient_accumulation_kwargs = options


class GatheredTrainer(Trainer):
    """Trainer that gathers and saves models sharded by FSDP2 or DeepSpeed; abstract.

    Attributes:
        shell: the model without its weights, if these will be sharded; else None.

    Raises:
        UserError: sharding was requested, and accelerate does not shard.
    """

    def __init__(self, model: PreTrainedModel, *, args: Any, **options: Any):
        share_out_each(args)
        super().__init__(model=model, args=args, **options)
        require_asked(self.accelerator, self.args)
        sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        self.shell = Shell(model) if sharded else None

    def whole_model(self) -> Any:
        """Return the trained model with all its weights; every process must call this method.

        Returns:
            If weights are sharded: a copy on the CPU for the main process, None for the others.
            Else the model itself, on every process.
        """
        if self.shell is None:
            return self.accelerator.unwrap_model(self.model)
        state: Any = self.accelerator.get_state_dict(self.model_wrapped)
        return self.shell.filled(state) if self.accelerator.is_main_process else None

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the gathered model, without `training_args.bin`.

        transformers may save nothing of sharded weights, without an error.
        """
        if self.shell is None or _internal_call:
            super().save_model(output_dir, _internal_call)
            if self.args.should_save:  # it is a pickle, and nothing here reads it
                folder = Path(output_dir or str(self.args.output_dir))
                (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)
            return
        if (model := self.whole_model()) is not None:
            folder = output_dir or str(self.args.output_dir)
            model.save_pretrained(folder)
            self.processing_class.save_pretrained(folder)  # type: ignore[union-attr]
        self.accelerator.wait_for_everyone()
