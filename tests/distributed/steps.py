"""A few steps on as many processes as started it; writes the weights that came of it.

torchrun --nproc_per_node 2 tests/distributed/steps.py METHOD BATCH EPOCHS STOP_AT FILE

METHOD may have options of the method and of training behind it, as JSON: npo?{"sam": 0.05}
"""

import json
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import Vocabulary, sequences, tiny_llama
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from unteach.engine import reference
from unteach.engine.config import UnlearningConfig
from unteach.engine.trainer import UnlearningTrainer
from unteach.methods import build


class Sharded(UnlearningTrainer):
    """FSDP2 as accelerate applies it, which it does on accelerators alone."""

    def create_optimizer(self, *args, **options):
        mesh = init_device_mesh("cpu", (self.accelerator.num_processes,))
        for module in (*self.model.model.layers, self.model):
            fully_shard(module, mesh=mesh)
        self.accelerator.prepare_model = lambda model, **options: model
        return super().create_optimizer(*args, **options)


def main(method: str, batch: str, epochs: str, stop_at: str, file: str) -> None:
    torch.set_num_threads(1)
    method, _, more = method.partition("?")
    options = json.loads(more or "{}")
    of_method = options.pop("method", {})
    reference.TOKENS = options.pop("reference_tokens", reference.TOKENS)
    tied, sharded = options.pop("tied", True), options.pop("sharded", False)
    sharded = sharded and int(os.environ.get("WORLD_SIZE", "1")) > 1
    trainer = (Sharded if sharded else UnlearningTrainer)(
        tiny_llama(tied=tied),
        method=build(method, of_method),
        forget_dataset=sequences(8, "forget"),
        retain_dataset=sequences(5, "retain"),
        args=UnlearningConfig(
            output_dir=str(Path(file).parent),
            use_cpu=True,
            learning_rate=1e-2,
            num_train_epochs=float(epochs),
            per_device_train_batch_size=int(batch),
            optim="sgd",
            max_grad_norm=0 if sharded else 1e9,
            stop_at=float(stop_at),
            disable_tqdm=True,
            **options,
        ),
        processing_class=Vocabulary(),  # type: ignore[arg-type]
    )
    trainer.train()
    state = trainer.accelerator.unwrap_model(trainer.model).state_dict()
    if sharded:
        state = {name: weight.full_tensor() for name, weight in state.items()}
    if trainer.accelerator.is_main_process:
        found = {
            "processes": trainer.accelerator.num_processes,
            "steps": trainer.state.global_step,
            "terms": [entry["forget"] for entry in trainer.state.log_history if "forget" in entry],
            "state": state,
            "retain_weight": trainer.dual.weight,
        }
        torch.save(found, file)
    if torch.distributed.is_initialized():
        # gloo aborts about one exit in 40 when it is left to the interpreter.
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
