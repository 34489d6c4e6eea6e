"""Steps in which one process alone meets what is no number; each writes what it says.

torchrun --nproc_per_node 2 tests/distributed/trouble.py FOLDER
"""

import math
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import ended, tiny_llama
from trainers import trainer

from unteach.errors import UserError

CASES = {"loss": {}, "two passes": {"sam": 0.05}, "gradient": {}, "accumulated": {"ga": 2}}


def said(case: str, folder: Path) -> str:
    """What training says, where the last process breaks its third step, and how far it came."""
    options = dict(CASES[case])
    cut = options.pop("ga", 1)
    model = tiny_llama()
    run = trainer(
        "npo", folder, model=model, per_device_train_batch_size=4 // cut, num_train_epochs=6,
        gradient_accumulation_steps=cut, stop_at=0, **options,
    )  # fmt: skip
    last = run.accelerator.process_index == run.accelerator.num_processes - 1

    def breaks(module, given, output):
        if not last or run.state.global_step != 2:
            return output
        if case != "gradient":
            return output * math.nan
        if output.requires_grad:
            output.register_hook(lambda slope: slope * math.nan)
        return output

    model.model.norm.register_forward_hook(breaks)
    try:
        run.train()
    except UserError as error:
        whole = all(p.isfinite().all() for p in model.parameters())
        return f"{run.accelerator.num_processes} processes, sound: {whole}, {error}"
    return "nothing"


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    rank = os.environ["RANK"]
    for case in CASES:
        (folder / f"{case} {rank}").write_text(said(case, folder))
    ended()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
