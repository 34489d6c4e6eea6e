"""Rows of models in shards, on as many processes as started it; each writes all that it has.

accelerate launch --config_file FILE --num_processes 2 tests/distributed/asked.py FOLDER

FOLDER has the models of the cases.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from accelerate import PartialState
from distributed.curves import WRAPPED, on_gloo
from distributed.rows import SETTINGS, groups
from torch.distributed.tensor import DTensor
from transformers import AutoTokenizer

from unteach.evaluation.loading import load
from unteach.evaluation.processes import join
from unteach.nouns import UserError
from unteach.probes import gradient_norms
from unteach.suites.ask import ask


@dataclass(frozen=True)
class Case:
    """A model that is asked.

    Attributes:
        model: its folder.
        original: that of the model before.
        adapters: a folder of adapters on it.
        environment: set while it is asked.
        unlike: the last process hears another answer than the others.
    """

    model: str
    original: str = "other"
    adapters: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    unlike: bool = False


CASES = {
    "tied": Case("tied", "other, tied"),
    "untied": Case("untied"),
    "adapters": Case("learned", adapters="adapters"),
    "head put away": Case("untied", environment=WRAPPED),
    "one loads": Case("untied", environment={"FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}),
    "unlike": Case("tied", unlike=True),
}


def loaded(path: Path, base: Path, seen: list[dict[str, Any]]) -> Any:
    """A model as the commands load it; what it is made of is noted."""
    given = {"dtype": "auto", "device": "auto", "bits": None, "trust_remote_code": False}
    model = load(str(path), str(base), **given)
    own = [getattr(p, "_local_tensor", p).numel() for p in model.parameters()]
    seen.append(
        {
            "in shards": sorted({isinstance(p, DTensor) for p in model.parameters()}),
            "dtypes": sorted({str(p.dtype) for p in model.parameters()}),
            "own": sum(own),
            "all": sum(p.numel() for p in model.parameters()),
        }
    )
    return model


def hearing_otherwise(model: Any) -> Any:
    """A model that answers, and only answers, with the token that is likest to be wrong."""
    generate, forward, answering = model.generate, model.forward, []

    @wraps(forward)
    def otherwise(*args: Any, **options: Any) -> Any:
        found = forward(*args, **options)
        found.logits = -found.logits if answering else found.logits
        return found

    def answer(*args: Any, **options: Any) -> Any:
        answering.append(True)
        try:
            return generate(*args, **options)
        finally:
            answering.clear()

    model.forward, model.generate = otherwise, answer
    return model


def asked(case: Case, folder: Path, last: bool) -> dict[str, Any]:
    """All that came of a case."""
    base = folder / case.model
    path = folder / case.adapters if case.adapters else base
    told, seen = [], []

    def model() -> Any:
        found = loaded(path, base, seen)
        return hearing_otherwise(found) if case.unlike and last else found

    found = ask(
        model,
        AutoTokenizer.from_pretrained(base),
        groups(),
        SETTINGS,
        original=lambda: loaded(folder / case.original, folder / case.original, seen),
        progress=lambda *now: told.append(now),
    )
    return {**asdict(found), "told": told, "seen": seen}


def refused(folder: Path) -> str:
    """What is said of gradient norms."""
    try:
        gradient_norms(loaded(folder / "tied", folder / "tied", []), [], shared=True)
    except UserError as error:
        return str(error)
    return "nothing"


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    on_gloo()
    join("auto")
    rank, processes = PartialState().process_index, PartialState().num_processes
    found: dict[str, Any] = {}
    for name, case in CASES.items():
        before = dict(os.environ)
        os.environ.update(case.environment)
        found[name] = asked(case, folder, rank == processes - 1)
        os.environ.clear()
        os.environ.update(before)
    found["gradient norms"] = refused(folder)
    found["kind"] = PartialState().distributed_type.value
    (folder / f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)  # gloo aborts about one exit in 40 when it is left to the interpreter


if __name__ == "__main__":
    main(Path(sys.argv[1]))
