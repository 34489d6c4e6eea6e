"""A few steps of every method on a tiny model, and what the loss did: the stored series.

python tests/trajectory/runs.py --write     makes series.json anew
"""

import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from support import OF_TINY, sequences, tiny_llama
from trainers import RETAIN, trainer
from transformers.trainer_callback import PrinterCallback

from unteach.adapters import LoraSettings, add_lora, initialise_fila
from unteach.methods import METHODS, build

FILE = Path(__file__).with_name("series.json")
COMMAND = "python tests/trajectory/runs.py --write"
FORGET = sequences(8, "forget")
# Eight answers of a step in two micro-batches; the second epoch meets other retain examples.
STEPS = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "num_train_epochs": 4}
# Adam divides by what is nearly nothing, so that another machine's last bits would show.
ADAM = {"optim": "adamw_torch", "adam_epsilon": 1e-4, "max_grad_norm": 1.0}
OTHERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{f"npo, {name}": ("npo", {}, {"retain": name}) for name in ("kl", "jsd", "hidden")},
    "npo, sam": ("npo", {}, {"sam": 0.05}),
    "npo, like lengths together": ("npo", {}, {"packing": True}),
    "dto, orthogonalised": ("dto", {"orthogonalize": "always"}, {}),
    "undial, on prompts": ("undial", {"prompt_distillation": 1.0}, {}),
    "etw, by the vocabulary": ("etw", {"normalise": "vocabulary"}, {}),
    "unilogit, by the original": ("unilogit", {"target": "original"}, {}),
}
Series = dict[str, list[float]]


def cases() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any], str]]:
    """Name, method, its options, those of training, and what is trained."""
    for name in METHODS:
        for kind in ("full", "fila" if METHODS.get(name).plan.init == "fila" else "lora"):
            yield f"{name}, {kind}", name, OF_TINY.get(name, {}), {}, kind
    for name, (method, options, training) in OTHERS.items():
        yield name, method, options, training, "full"


def series(method: str, options: dict, training: dict, kind: str, folder: Path) -> Series:
    """Of each step: the loss, its terms, the gradient's norm, and what else the log says."""
    given = {**STEPS, **ADAM, "stop_at": 0, "lr_scheduler_type": "constant", **training}
    run = trainer(build(method, options), folder, model=made(kind), forget=FORGET, **given)
    losses: list[float] = []
    step = run.training_step

    def training_step(*args, **kwargs):
        loss = step(*args, **kwargs)
        losses.append(float(loss))
        return loss

    run.training_step = training_step
    run.remove_callback(PrinterCallback)
    run.train()
    found: Series = {"loss": [sum(losses[k : k + 2]) for k in range(0, len(losses), 2)]}
    for entry in (entry for entry in run.state.log_history if "grad_norm" in entry):
        for name in entry.keys() - {"loss", "learning_rate", "epoch", "step"}:
            found.setdefault(name, []).append(float(entry[name]))
    return dict(sorted(found.items()))


def made(kind: str) -> Any:
    """The tiny model; with adapters that begin as nothing, or as FILA has them."""
    if kind == "full":
        return tiny_llama()
    torch.manual_seed(1)
    model = add_lora(tiny_llama(), LoraSettings(rank=2))
    if kind == "fila":
        initialise_fila(model, FORGET, RETAIN, seed=0)
    return model


def environment() -> dict[str, str]:
    """What the numbers were made in."""
    libraries = ("torch", "transformers", "peft", "accelerate")
    return {
        **{name: version(name) for name in libraries},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": str(torch.get_num_threads()),
    }


def write() -> None:
    """The file, a line for each series."""
    torch.set_num_threads(1)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, *case in cases():
            terms = [
                f"  {json.dumps(term)}: [{', '.join(f'{value:.8g}' for value in values)}]"
                for term, values in series(*case, Path(folder)).items()
            ]
            lines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(terms) + "\n }")
    made_in = json.dumps(environment())
    text = f'{{\n"environment": {made_in},\n"series": {{\n' + ",\n".join(lines) + "\n}\n}\n"
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    write()
