"""Rows of models in shards, on as many processes as started it; each writes all that it has.

accelerate launch --config_file FILE --num_processes 2 tests/distributed/asked.py FOLDER

FOLDER has the models of the cases.
"""

import json
import os
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from accelerate import Accelerator, PartialState
from distributed.curves import WRAPPED, on_gloo
from distributed.rows import SETTINGS, groups
from support import ended
from torch.distributed.tensor import DTensor
from transformers import AutoTokenizer

from unteach.errors import Problem, UserError
from unteach.evaluation.loading import load
from unteach.head import require_agreement
from unteach.inference import gradient_norms, greedy, rows
from unteach.processes.main import join
from unteach.suites.ask import score_groups


@dataclass(frozen=True)
class Case:
    """A model that is asked.

    Attributes:
        model: its folder.
        original: that of the model before.
        adapters: a folder of adapters on it.
        environment: set while it is asked.
        dtype: of the weights.
        once: prompts that are read once for several answers.
        unlike: in what the last process is unlike the others: the "answers" that it hears, or that
            it does not know what the model does behind its "head".
    """

    model: str
    original: str = "other"
    adapters: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    dtype: str = "auto"
    once: int = 7
    unlike: str = ""


ONE_LOADS = {"FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}
CASES = {
    "tied": Case("tied", "other, tied"),
    "untied": Case("untied"),
    "adapters": Case("learned", adapters="adapters"),
    "head put away": Case("untied", environment=WRAPPED),
    "one loads": Case("untied", environment=ONE_LOADS),
    "one loads, tied, adapters": Case("tied", adapters="on tied", environment=ONE_LOADS),
    "half": Case("untied", dtype="bfloat16"),
    "adapters, half": Case("learned", adapters="adapters", dtype="bfloat16"),
    "experts": Case("experts", dtype="bfloat16"),
    "state": Case("state", once=0),
    "no layers named": Case("unnamed", once=0),
    "unlike answers": Case("tied", unlike="answers"),
    "unlike heads": Case("untied", environment=WRAPPED, once=0, unlike="head"),
}


def loaded(path: Path, base: Path, seen: list[dict[str, Any]], dtype: str = "auto") -> Any:
    """A model as the commands load it; what it is made of is noted."""
    given = {"dtype": dtype, "device": "auto", "bits": None, "trust_remote_code": False}
    model = load(str(path), str(base), **given)
    own = [getattr(p, "_local_tensor", p).numel() for p in model.parameters()]
    seen.append(
        {
            "in shards": sorted({isinstance(p, DTensor) for p in model.parameters()}),
            "dtypes": sorted({str(p.dtype) for p in model.parameters()}), "own": sum(own),
            "all": sum(p.numel() for p in model.parameters())})  # fmt: skip
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


def unknown(model: Any, ids: torch.Tensor) -> None:
    """As `require_agreement` does where the logits are none that the head makes."""
    require_agreement(model, ids)
    raise UserError(Problem("head", "is not known"))


def asked(case: Case, folder: Path, last: bool) -> dict[str, Any]:
    """All that came of a case."""
    base = folder / case.model
    path = folder / case.adapters if case.adapters else base
    told, seen = [], []

    def model() -> Any:
        found = loaded(path, base, seen, case.dtype)
        return hearing_otherwise(found) if last and case.unlike == "answers" else found

    def original() -> Any:
        return loaded(folder / case.original, folder / case.original, seen, case.dtype)

    unlike = last and case.unlike == "head"
    with patch.object(rows, "require_agreement", unknown) if unlike else nullcontext():
        found = score_groups(
            model, AutoTokenizer.from_pretrained(base), groups(), SETTINGS, original=original,
            progress=lambda *now: told.append(now))  # fmt: skip
    return {**asdict(found), "told": told, "seen": seen}


def said_first(folder: Path) -> list[list[int]]:
    """What a model with adapters says where nothing was asked before: no forward of its own."""
    model = loaded(folder / "adapters", folder / "learned", [])
    return greedy(model, [(40, 41, 42), (43,)], limits=[6, 4], end=[0], shared=True)


def cut_as_told(folder: Path, layers: str) -> dict[str, Any]:
    """What is said where the launcher's file names such layers, and whether training's stay."""
    plugin = Accelerator().state.fsdp_plugin
    with patch.dict(os.environ, FSDP_TRANSFORMER_CLS_TO_WRAP=layers):
        try:
            said = type(loaded(folder / "tied", folder / "tied", [])).__name__
        except UserError as error:
            said = str(error)
    return {"said": said, "training's": Accelerator().state.fsdp_plugin is plugin}


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
    found["cut"] = [cut_as_told(folder, name) for name in ("LlamaDecoderLayer", "NoLayer")]
    found["said first"] = said_first(folder)
    found["gradient norms"] = refused(folder)
    found["kind"] = PartialState().distributed_type.value
    (folder / f"{rank}.json").write_text(json.dumps(found))
    ended()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
